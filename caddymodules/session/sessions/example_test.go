package sessions_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/localstore"
)

// One node with its store in process: somebody signs in, is known by their cookie, and signs out.
func Example() {
	ctx := context.Background()
	node := sessions.NewNode(sessions.NodeConfig{Store: localstore.New(localstore.Config{})})
	m, err := sessions.New(sessions.Config{
		Node: node, Keys: sessions.RandomKeys(), Rotation: time.Hour,
		Issuers: map[string]string{"corp": "https://login.example.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	who := sessions.Identity{Provider: "corp", Issuer: "https://login.example.com", Subject: "ada"}
	_, cookies, err := m.Login(ctx, sessions.Request{Host: "app.example.com"}, who)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := sessions.Request{Cookie: cookies.Session, Ticket: cookies.Ticket, Host: "app.example.com"}
	v := m.Check(ctx, r)
	fmt.Println(v.Session.Subject, "from", v.Source)
	v = m.Check(ctx, r)
	fmt.Println(v.Session.Subject, "from", v.Source)
	if _, err := m.Logout(ctx, r); err != nil {
		fmt.Println(err)
	}
	v = m.Check(ctx, r)
	fmt.Println(v.Status == sessions.SignedOut, v.Reason)
	// Output:
	// ada from redis
	// ada from cache
	// true revoked
}
