package oidc_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// A login from the first request to the identity, with what the caller keeps in between.
func Example() {
	const callback = "https://app.example/_auth/callback/corp"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	op, err := idp.Start(ctx, "127.0.0.1:0", idp.Config{Clients: []idp.Client{{ID: "app", RedirectURIs: []string{callback}}}}, nil)
	if err != nil {
		panic(err)
	}
	defer op.Close()

	// Once: a provider that finds its endpoints and keys in the background, and a sealer for flows.
	ready := make(chan struct{})
	provider, err := oidc.New(oidc.Config{
		Name: "corp", Issuer: op.Issuer(), ClientID: "app",
		OnStatus: func(s oidc.Status) {
			if s.Ready {
				close(ready)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { provider.Run(ctx) })
	defer cancel()
	sealer, err := oidc.NewFlowSealer([]oidc.SealKey{{ID: "k1", Secret: make([]byte, 32)}}, "default app.example", nil)
	if err != nil {
		panic(err)
	}
	<-ready

	// A request without a session: remember the flow in a cookie and send the browser away.
	flow := oidc.NewFlow("corp", oidc.ReturnTo("//evil.example", "/"), time.Now())
	cookie, err := sealer.Seal(flow)
	if err != nil {
		panic(err)
	}
	address, err := provider.AuthURL(flow, oidc.AuthRequest{RedirectURI: callback})
	if err != nil {
		panic(err)
	}
	back, err := idp.NewBrowser(nil).SignIn(ctx, address, callback, "mia")
	if err != nil {
		panic(err)
	}

	// The callback.
	if flow, err = sealer.Open(cookie); err != nil {
		panic(err)
	}
	who, _, err := provider.Login(ctx, back.Query(), flow, callback)
	if err != nil {
		panic(err)
	}
	fmt.Println(who.Provider, who.Subject, who.Email, who.Groups, flow.ReturnTo)
	// Output: corp mia mia@example.test [staff] /
}
