package sessionstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// Open returns an empty store that decides by the clock.
type Open func(t *testing.T, now func() time.Time) sessions.Store

// TestStore is the contract of sessions.Store: a table of what must hold, and random calls that must
// be answered as the state machine of package sessions answers them.
func TestStore(t *testing.T, open Open) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"what was created is read back whole", (*bench).readsBack},
		{"a taken selector is not given again", (*bench).refusesTakenSelector},
		{"activity moves the idle end, passive requests do not", (*bench).idles},
		{"an idle session stays ended", (*bench).staysEnded},
		{"a settling caller ends nobody for idleness", (*bench).settles},
		{"a route's shorter times refuse without touching", (*bench).refusesForRoute},
		{"the absolute end comes whatever happens", (*bench).endsAbsolutely},
		{"an unused successor leaves the old verifier as good as it was", (*bench).keepsPredecessor},
		{"a used successor leaves a minute of grace", (*bench).graces},
		{"a retired verifier is reuse, and ends the session on request", (*bench).tellsReuse},
		{"thirty-two retired verifiers are remembered", (*bench).remembersRetired},
		{"rotation waits until the predecessor is closed", (*bench).rotatesOneAtATime},
		{"of parallel rotations one wins", (*bench).rotatesOnce},
		{"touch takes the newest and tells the generation", (*bench).touches},
		{"touch does not bring back the dead", (*bench).doesNotRevive},
		{"end takes any verifier of the session and no other", (*bench).ends},
		{"a session that was lost can be buried by proof", (*bench).buriesTheLost},
		{"a user has no more sessions than allowed", (*bench).limitsSessions},
		{"revoking a user marks all of their sessions", (*bench).revokesUser},
		{"any call is answered as the state machine answers", (*bench).agreesWithMachine},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := NewClock()
			c.run(&bench{T: t, clock: clock, store: open(t, clock.Now)})
		})
	}
}

// bench is one store under test.
type bench struct {
	*testing.T
	clock *Clock
	store sessions.Store
}

const idle, lifetime, rotation = 15 * time.Minute, 24 * time.Hour, time.Hour

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// verifier is the n-th of a session's verifiers.
func verifier(n byte) sessions.Verifier { return sessions.Verifier{31: n, 0: 1} }

func hash(n byte) sessions.Hash { return verifier(n).Hash() }

func selector(n byte) sessions.Selector { return sessions.Selector{n, 15: n} }

// Person is an identity with every field set.
func Person() sessions.Identity {
	return sessions.Identity{
		Provider: "corp", Issuer: "https://login.example.com", ClientID: "app", Subject: "u-1", ProviderSession: "sid-1",
		ACR: "urn:mfa", AMR: []string{"pwd", "otp"}, AuthTime: time.Unix(1_769_999_990, 0).UTC(),
		Groups: []string{"staff", "admins \"of\" all\n"},
		Claims: sessions.Claims{
			{Name: "email", Values: []string{"u@example.com"}},
			{Name: "roles", Values: []string{"a", "ü"}},
		},
	}
}

// create starts the session of selector n with verifier 1.
func (b *bench) create(n byte) *sessions.Record {
	b.Helper()
	r, err := b.store.Create(context.Background(), creation(n, 1, lifetime))
	b.ok(err)
	return r
}

func creation(s, v byte, life time.Duration) sessions.Creation {
	return sessions.Creation{
		Record:   sessions.Record{Session: sessions.Session{Identity: Person(), Selector: selector(s), Host: "app.example.com"}, Current: hash(v)},
		Lifetime: life,
	}
}

func validation(s, v byte) sessions.Validation {
	return sessions.Validation{Selector: selector(s), Hash: hash(v), Active: true, Age: -1, Idle: idle}
}

// check validates and compares the outcome.
func (b *bench) check(v sessions.Validation, want sessions.Outcome) sessions.Reply {
	b.Helper()
	reply, err := b.store.Validate(context.Background(), v)
	b.ok(err)
	if reply.Outcome != want {
		b.Fatalf("got outcome %d (%s), want %d", reply.Outcome, reply.Reason, want)
	}
	if got := sessions.InstantOf(b.clock.Now()); reply.Now != got {
		b.Fatalf("decided at %d, the clock stood at %d", reply.Now, got)
	}
	return reply
}

func (b *bench) ended(v sessions.Validation, want sessions.Reason) {
	b.Helper()
	if reply := b.check(v, sessions.Ended); reply.Reason != want {
		b.Fatalf("got ended for %s, want %s", reply.Reason, want)
	}
}

func (b *bench) readsBack() {
	made := b.create(1)
	now := sessions.InstantOf(b.clock.Now())
	if made.Created != now || made.Absolute != now.Add(lifetime) || made.Rotated != now || !made.Used || made.Generation != 1 {
		b.Fatalf("created as %+v", made)
	}
	copied, err := b.store.Read(context.Background(), selector(1), sessions.CachedSession{})
	b.ok(err)
	b.same("read", copied.Record, made)
	again, err := b.store.Read(context.Background(), selector(1), copied)
	b.ok(err)
	b.same("read again", again.Record, made)
	reply := b.check(validation(1, 1), sessions.Current)
	b.same("validated", reply.Record, made)
	none, err := b.store.Read(context.Background(), selector(2), sessions.CachedSession{})
	b.ok(err)
	if none.Record != nil {
		b.Fatalf("read %+v where nothing is", none.Record)
	}
	b.check(validation(2, 1), sessions.Missing)
}

func (b *bench) refusesTakenSelector() {
	b.create(1)
	if _, err := b.store.Create(context.Background(), creation(1, 2, lifetime)); !errors.Is(err, sessions.ErrConflict) {
		b.Fatalf("got %v, want ErrConflict", err)
	}
	_, err := b.store.End(context.Background(), sessions.End{Selector: selector(1), Proven: true, Reason: sessions.ReasonRevoked})
	b.ok(err)
	if _, err := b.store.Create(context.Background(), creation(1, 2, lifetime)); !errors.Is(err, sessions.ErrConflict) {
		b.Fatalf("on a tombstone: got %v, want ErrConflict", err)
	}
}

// eventually waits for what a store tells its copies, which takes it a moment.
func (b *bench) eventually(done func() bool) {
	b.Helper()
	for range 5000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("not within five seconds")
}
