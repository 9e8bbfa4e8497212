package localstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/localstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

func TestStore(t *testing.T) {
	sessionstest.TestStore(t, func(_ *testing.T, now func() time.Time) sessions.Store {
		return localstore.New(localstore.Config{Now: now})
	})
}

func create(t *testing.T, s *localstore.Store, n int) {
	t.Helper()
	selector := sessions.Selector{byte(n), byte(n >> 8)}
	_, err := s.Create(context.Background(), sessions.Creation{
		Record:   sessions.Record{Session: sessions.Session{Selector: selector}, Current: sessions.Hash{1}},
		Lifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore_isBounded(t *testing.T) {
	clock := sessionstest.NewClock()
	s := localstore.New(localstore.Config{MaxSessions: 50, Now: clock.Now})
	for n := range 500 {
		create(t, s, n)
		clock.Advance(time.Millisecond)
	}
	if got := s.Len(); got != 50 {
		t.Fatalf("holds %d sessions, want 50", got)
	}
	// The bound is smaller than the sample, so it is exactly the newest that are left.
	for n := range 500 {
		c, err := s.Read(context.Background(), sessions.Selector{byte(n), byte(n >> 8)}, sessions.CachedSession{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.Record != nil, n >= 450; got != want {
			t.Errorf("session %d: kept %t, want %t", n, got, want)
		}
	}
}

func TestStore_forgetsWhatIsPast(t *testing.T) {
	clock := sessionstest.NewClock()
	s := localstore.New(localstore.Config{Now: clock.Now})
	for n := range 100 {
		create(t, s, n)
	}
	user := sessions.UserOf("i", "s")
	if _, err := s.RevokeUser(context.Background(), user, time.Hour); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour + sessions.TombstoneTTL)
	create(t, s, 1000)
	if got := s.Len(); got != 1 {
		t.Fatalf("holds %d, want the one that is alive", got)
	}
}
