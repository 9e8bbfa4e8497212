package sessionstest

import (
	"context"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func (b *bench) ends() {
	b.create(1)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	b.rotate(1, 2, sessions.Rotated)
	b.check(validation(1, 2), sessions.FirstUse)
	b.clock.Advance(sessions.GracePeriod)
	b.check(validation(1, 1), sessions.Reused)
	end := func(v byte) *sessions.Record {
		b.Helper()
		r, err := b.store.End(context.Background(), sessions.End{Selector: selector(1), Hash: hash(v), Reason: sessions.ReasonRevoked})
		b.ok(err)
		return r
	}
	if end(7) != nil {
		b.Fatal("a foreign verifier ended the session")
	}
	b.check(validation(1, 2), sessions.Current)
	if got := end(1); got == nil || got.User() != sessions.UserOf(Person().Issuer, Person().Subject) {
		b.Fatalf("a retired verifier did not end the session: %+v", got)
	}
	b.ended(validation(1, 2), sessions.ReasonRevoked)
	if end(2) != nil {
		b.Fatal("ended twice")
	}
}

func (b *bench) buriesTheLost() {
	ctx := context.Background()
	now := sessions.InstantOf(b.clock.Now())
	lost := sessions.End{Selector: selector(1), Hash: hash(1), Reason: sessions.ReasonRevoked, Absolute: now.Add(time.Hour)}
	_, err := b.store.End(ctx, lost)
	b.ok(err)
	b.check(validation(1, 1), sessions.Missing)
	lost.Proven = true
	_, err = b.store.End(ctx, lost)
	b.ok(err)
	b.ended(validation(1, 1), sessions.ReasonRevoked)
	// One that is past its end needs no tombstone.
	_, err = b.store.End(ctx, sessions.End{Selector: selector(2), Proven: true, Reason: sessions.ReasonRevoked, Absolute: now})
	b.ok(err)
	b.check(validation(2, 1), sessions.Missing)
}

func (b *bench) limitsSessions() {
	ctx := context.Background()
	user := sessions.UserOf("i", "s")
	enroll := func(n byte, user sessions.User) []sessions.Selector {
		b.Helper()
		others, err := b.store.Enroll(ctx, sessions.Enrollment{
			User: user, ProviderSession: sessions.ProviderSessionOf("i", "sid"), Selector: selector(n), Lifetime: lifetime, Max: 2,
		})
		b.ok(err)
		b.clock.Advance(time.Second)
		return others
	}
	if got := append(enroll(1, user), enroll(2, user)...); len(got) != 0 {
		b.Fatalf("refused below the limit: %v", got)
	}
	if got := enroll(2, user); len(got) != 0 {
		b.Fatalf("the same session again was refused: %v", got)
	}
	if got := enroll(3, user); len(got) != 2 || got[0] != selector(1) || got[1] != selector(2) {
		b.Fatalf("got %v, want the two others, oldest first", got)
	}
	if got := enroll(9, sessions.UserOf("i", "other")); len(got) != 0 {
		b.Fatalf("another user was counted: %v", got)
	}
	b.create(2)
	alive, err := b.store.Alive(ctx, []sessions.Selector{selector(1), selector(2)}, idle)
	b.ok(err)
	if alive[0] || !alive[1] {
		b.Fatalf("alive: got %v", alive)
	}
	b.ok(b.store.Withdraw(ctx, user, sessions.ProviderSessionOf("i", "sid"), selector(1)))
	if got := enroll(3, user); len(got) != 0 {
		b.Fatalf("refused after one was withdrawn: %v", got)
	}
	b.clock.Advance(lifetime)
	if got := append(enroll(4, user), enroll(5, user)...); len(got) != 0 {
		b.Fatalf("sessions past their end were counted: %v", got)
	}
	b.clock.Advance(idle)
	alive, err = b.store.Alive(ctx, []sessions.Selector{selector(2)}, idle)
	b.ok(err)
	if alive[0] {
		b.Fatal("a session past its end is alive")
	}
}

func (b *bench) revokesUser() {
	ctx := context.Background()
	r := b.create(1)
	copied, err := b.store.Read(ctx, selector(1), sessions.CachedSession{})
	b.ok(err)
	if copied.NotBefore != 0 {
		b.Fatalf("revoked at %d before anything was", copied.NotBefore)
	}
	b.clock.Advance(time.Second)
	at, err := b.store.RevokeUser(ctx, r.User(), lifetime)
	b.ok(err)
	if at != sessions.InstantOf(b.clock.Now()) {
		b.Fatalf("revoked at %d", at)
	}
	b.clock.Advance(-time.Second)
	if again, err := b.store.RevokeUser(ctx, r.User(), lifetime); err != nil || again != at {
		b.Fatalf("an earlier revocation took a later one back: %d, %v", again, err)
	}
	b.clock.Advance(time.Second)
	b.eventually(func() bool {
		copied, err = b.store.Read(ctx, selector(1), copied)
		b.ok(err)
		return copied.NotBefore == at
	})
	for _, user := range []sessions.User{{}, r.User()} {
		v := validation(1, 1)
		v.User = user
		if reply := b.check(v, sessions.Current); reply.NotBefore != at {
			b.Fatalf("validated with %d, want %d", reply.NotBefore, at)
		}
	}
}
