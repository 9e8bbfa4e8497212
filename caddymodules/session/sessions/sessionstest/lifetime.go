package sessionstest

import (
	"context"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

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
	copied, err := b.store.Read(context.Background(), selector(1), sessions.CachedSession{})
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
