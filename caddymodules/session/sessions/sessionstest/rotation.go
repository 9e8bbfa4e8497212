package sessionstest

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

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
