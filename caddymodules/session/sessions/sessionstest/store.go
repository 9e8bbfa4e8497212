package sessionstest

import (
	"context"
	"errors"
	"sync"
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
		Provider: "corp", Issuer: "https://login.example.com", Subject: "u-1", ProviderSession: "sid-1",
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
		Record:   sessions.Record{Session: sessions.Session{Identity: Person(), Selector: selector(s)}, Current: hash(v)},
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

func (b *bench) rotate(old, next byte, want sessions.Outcome) sessions.Reply {
	b.Helper()
	reply, err := b.store.Rotate(context.Background(), sessions.Rotation{
		Selector: selector(1), Old: hash(old), New: hash(next), Next: []byte{0, next, 255}, Every: rotation,
	})
	b.ok(err)
	if reply.Outcome != want {
		b.Fatalf("rotation %d to %d: got outcome %d, want %d", old, next, reply.Outcome, want)
	}
	return reply
}

func (b *bench) readsBack() {
	made := b.create(1)
	now := sessions.InstantOf(b.clock.Now())
	if made.Created != now || made.Absolute != now.Add(lifetime) || made.Rotated != now || !made.Used || made.Generation != 1 {
		b.Fatalf("created as %+v", made)
	}
	copied, err := b.store.Read(context.Background(), selector(1), sessions.Copy{})
	b.ok(err)
	b.same("read", copied.Record, made)
	again, err := b.store.Read(context.Background(), selector(1), copied)
	b.ok(err)
	b.same("read again", again.Record, made)
	reply := b.check(validation(1, 1), sessions.Current)
	b.same("validated", reply.Record, made)
	none, err := b.store.Read(context.Background(), selector(2), sessions.Copy{})
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

func (b *bench) idles() {
	b.create(1)
	passive := validation(1, 1)
	passive.Active = false
	for range 3 {
		b.clock.Advance(idle - time.Millisecond)
		b.check(validation(1, 1), sessions.Current)
	}
	b.clock.Advance(idle / 2)
	b.check(passive, sessions.Current)
	b.clock.Advance(idle/2 - time.Millisecond)
	b.check(passive, sessions.Current)
	b.clock.Advance(time.Millisecond)
	b.ended(passive, sessions.ReasonIdle)

	// What the caller knows counts: its own activity, and that of a ticket unless it is ahead.
	b.create(2)
	b.clock.Advance(idle)
	v := validation(2, 1)
	v.Active, v.Age = false, time.Minute
	if got := b.check(v, sessions.Current).Last; got != sessions.InstantOf(b.clock.Now()).Add(-time.Minute) {
		b.Fatalf("last activity is %d", got)
	}
	v.Age, v.TicketLast = -1, sessions.InstantOf(b.clock.Now())
	b.check(v, sessions.Current)
	v.TicketLast++
	b.ended(v, sessions.ReasonIdle)
}

func (b *bench) staysEnded() {
	b.create(1)
	b.clock.Advance(idle)
	b.ended(validation(1, 1), sessions.ReasonIdle)
	b.ended(validation(1, 1), sessions.ReasonIdle)
	b.rotate(1, 2, sessions.Ended)
	copied, err := b.store.Read(context.Background(), selector(1), sessions.Copy{})
	b.ok(err)
	if copied.Record != nil {
		b.Fatal("an ended session can be read")
	}
}

func (b *bench) settles() {
	b.create(1)
	b.clock.Advance(idle)
	v := validation(1, 1)
	v.Settling = true
	b.check(v, sessions.WouldIdle)
	v.Age = time.Second
	b.check(v, sessions.Current)
	v.Settling, v.Age = false, -1
	b.check(v, sessions.Current)
}

func (b *bench) refusesForRoute() {
	b.create(1)
	v := validation(1, 1)
	v.RouteIdle = time.Minute
	b.clock.Advance(time.Minute)
	b.check(v, sessions.RouteIdle)
	b.check(v, sessions.RouteIdle)
	b.check(validation(1, 1), sessions.Current)
	b.check(v, sessions.Current)
	v = validation(1, 1)
	v.RouteAbsolute = 2 * time.Minute
	b.clock.Advance(time.Minute)
	before := b.check(v, sessions.RouteAbsolute)
	if after := b.check(v, sessions.RouteAbsolute); after.Stored != before.Stored {
		b.Fatal("a refused request counted as activity")
	}
	b.check(validation(1, 1), sessions.Current)
}

func (b *bench) endsAbsolutely() {
	b.create(1)
	for range 96 {
		b.clock.Advance(15*time.Minute - time.Millisecond)
		b.check(validation(1, 1), sessions.Current)
	}
	b.clock.Advance(95 * time.Millisecond)
	b.check(validation(1, 1), sessions.Current)
	b.clock.Advance(time.Millisecond)
	b.ended(validation(1, 1), sessions.ReasonAbsolute)
}

func (b *bench) keepsPredecessor() {
	b.create(1)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	b.rotate(1, 2, sessions.Rotated)
	for range 5 {
		b.clock.Advance(idle - 1*time.Millisecond)
		reply := b.check(validation(1, 1), sessions.Superseded)
		if string(reply.Record.Next) != string([]byte{0, 2, 255}) || reply.Record.Generation != 2 {
			b.Fatalf("the successor is not handed out: %+v", reply.Record)
		}
	}
}

func (b *bench) graces() {
	b.create(1)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	b.rotate(1, 2, sessions.Rotated)
	if reply := b.check(validation(1, 2), sessions.FirstUse); !reply.Record.Used {
		b.Fatal("the first use is not in the answer")
	}
	b.check(validation(1, 2), sessions.Current)
	b.clock.Advance(sessions.GracePeriod - time.Millisecond)
	b.check(validation(1, 1), sessions.Grace)
	b.check(validation(1, 2), sessions.Current)
	b.clock.Advance(time.Millisecond)
	b.check(validation(1, 1), sessions.Reused)
	b.check(validation(1, 2), sessions.Current)
	b.check(validation(1, 3), sessions.Unknown)
}

func (b *bench) tellsReuse() {
	b.graces()
	v := validation(1, 1)
	v.RevokeReuse = true
	b.check(v, sessions.Reused)
	b.ended(validation(1, 2), sessions.ReasonReuse)
}

func (b *bench) remembersRetired() {
	b.create(1)
	last := byte(1)
	for range sessions.MaxRetired + 2 {
		b.clock.Advance(rotation / 2)
		b.touch(1, 0)
		b.clock.Advance(rotation / 2)
		b.touch(1, 0)
		if b.clock.Now().Sub(time.UnixMilli(1_770_000_000_000)) > lifetime-2*time.Hour {
			break
		}
		b.rotate(last, last+1, sessions.Rotated)
		last++
		b.check(validation(1, last), sessions.FirstUse)
		b.clock.Advance(sessions.GracePeriod)
		for old := byte(1); old < last; old++ {
			b.check(validation(1, old), sessions.Reused)
		}
	}
	if last < 15 {
		b.Fatalf("only %d verifiers were tried", last)
	}
}

func (b *bench) rotatesOneAtATime() {
	b.create(1)
	b.rotate(1, 2, sessions.NotDue)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	b.rotate(9, 2, sessions.Unknown)
	won := b.rotate(1, 2, sessions.Rotated).Record
	if won.Used || won.Generation != 2 || won.Previous != hash(1) || won.Current != hash(2) || won.PreviousUntil != 0 {
		b.Fatalf("rotated to %+v", won)
	}
	b.rotate(1, 3, sessions.Superseded)
	b.rotate(2, 3, sessions.NotDue) // not used
	b.check(validation(1, 2), sessions.FirstUse)
	b.rotate(2, 3, sessions.NotDue) // not due
	b.clock.Advance(sessions.GracePeriod - time.Millisecond)
	reply, err := b.store.Rotate(context.Background(), sessions.Rotation{
		Selector: selector(1), Old: hash(2), New: hash(3), Next: []byte{3}, Every: time.Second,
	})
	b.ok(err)
	if reply.Outcome != sessions.NotDue {
		b.Fatalf("rotated with a predecessor in its grace: %d", reply.Outcome)
	}
	b.rotate(1, 3, sessions.Grace)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	b.rotate(1, 3, sessions.Reused)
	b.rotate(2, 3, sessions.Rotated)
}

func (b *bench) rotatesOnce() {
	b.create(1)
	b.clock.Advance(rotation)
	b.touch(1, 0)
	const n = 50
	replies := make([]sessions.Reply, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			replies[i], errs[i] = b.store.Rotate(context.Background(), sessions.Rotation{
				Selector: selector(1), Old: hash(1), New: hash(byte(100 + i)), Next: []byte{byte(i)}, Every: rotation,
			})
		})
	}
	wg.Wait()
	won := 0
	for i, reply := range replies {
		b.ok(errs[i])
		switch reply.Outcome {
		case sessions.Rotated:
			won++
		case sessions.Superseded:
		default:
			b.Fatalf("got outcome %d", reply.Outcome)
		}
		b.same("the winner's record", reply.Record, replies[0].Record)
	}
	if won != 1 {
		b.Fatalf("%d rotations won", won)
	}
}

func (b *bench) touch(n byte, age time.Duration) sessions.Touched {
	b.Helper()
	touched, err := b.store.Touch(context.Background(), []sessions.Touch{{Selector: selector(n), Age: age}})
	b.ok(err)
	if len(touched) != 1 {
		b.Fatalf("got %d answers", len(touched))
	}
	return touched[0]
}

func (b *bench) touches() {
	b.create(1)
	b.create(3)
	start := sessions.InstantOf(b.clock.Now())
	b.clock.Advance(time.Minute)
	got, err := b.store.Touch(context.Background(), []sessions.Touch{
		{Selector: selector(1), Age: 10 * time.Second},
		{Selector: selector(2), Age: 0},
		{Selector: selector(3), Age: 5 * time.Minute},
		{Selector: selector(1), Age: 20 * time.Second},
	})
	b.ok(err)
	want := []sessions.Touched{
		{Active: true, Generation: 1, Stored: start.Add(50 * time.Second)},
		{},
		{Active: true, Generation: 1, Stored: start},
		{Active: true, Generation: 1, Stored: start.Add(50 * time.Second)},
	}
	for i := range want {
		want[i].Now = start.Add(time.Minute)
		if got[i] != want[i] {
			b.Errorf("touch %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	if none, err := b.store.Touch(context.Background(), nil); err != nil || len(none) != 0 {
		b.Errorf("no touches: got %v, %v", none, err)
	}
}

func (b *bench) doesNotRevive() {
	b.create(1)
	record, err := b.store.End(context.Background(), sessions.End{Selector: selector(1), Hash: hash(1), Reason: sessions.ReasonRevoked})
	b.ok(err)
	if record == nil {
		b.Fatal("not ended")
	}
	if got := b.touch(1, 0); got.Active {
		b.Fatal("touch says that an ended session is active")
	}
	b.ended(validation(1, 1), sessions.ReasonRevoked)
}

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
	copied, err := b.store.Read(ctx, selector(1), sessions.Copy{})
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
