package sessionstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// same compares records; a nil one equals only itself.
func (b *bench) same(what string, got, want *sessions.Record) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

// agreesWithMachine makes random calls at random moments, most of them near the edges that matter,
// and compares every answer with that of sessions.Entry.
func (b *bench) agreesWithMachine() {
	start := b.clock.Now()
	for seed := range uint64(40) {
		b.clock.Set(start)
		m := machine{bench: b, random: rand.New(rand.NewPCG(seed, 1)), seed: byte(seed)}
		for step := range 120 {
			m.step = fmt.Sprintf("seed %d, step %d", seed, step)
			// A pause later, at most, the sessions' hour is over, but not yet the tombstones' time, after
			// which stores may forget.
			if b.clock.Now().Sub(start) > 54*time.Minute {
				break
			}
			m.once()
		}
	}
}

// machine runs the state machine beside a store.
type machine struct {
	*bench
	random  *rand.Rand
	seed    byte
	step    string
	entries [2]sessions.Entry
}

func (m *machine) pick(n int) int { return m.random.IntN(n) }

func (m *machine) once() {
	pauses := []time.Duration{
		0, 0, 0, time.Millisecond, time.Second, 30 * time.Second, time.Minute - time.Millisecond, time.Minute,
		5 * time.Minute, 15*time.Minute - time.Millisecond, 15 * time.Minute,
	}
	if m.pick(3) > 0 {
		m.clock.Advance(pauses[m.pick(8)])
	} else {
		m.clock.Advance(pauses[m.pick(len(pauses))])
	}
	i := m.pick(len(m.entries))
	e, now := &m.entries[i], sessions.InstantOf(m.clock.Now())
	which := sessions.Selector{m.seed, byte(i), 7}
	v := byte(m.pick(6))
	switch m.pick(12) {
	case 0:
		m.create(e, now, which, v)
	case 1:
		if m.pick(4) == 0 {
			m.end(e, now, which, v)
		}
	case 2, 3:
		m.touch(e, now, which)
	case 4, 5, 6:
		m.rotate(e, now, which, v)
	default:
		m.validate(e, now, which, v)
	}
	copied, err := m.store.Read(context.Background(), which, sessions.CachedSession{})
	m.ok(err)
	if copied.Record != nil || e.Record != nil {
		m.eventually(func() bool {
			copied, err = m.store.Read(context.Background(), which, copied)
			m.ok(err)
			return reflect.DeepEqual(copied.Record, e.Record)
		})
	}
}

func (m *machine) create(e *sessions.Entry, now sessions.Instant, which sessions.Selector, v byte) {
	c := creation(0, v, time.Hour)
	c.Record.Selector = which
	got, err := m.store.Create(context.Background(), c)
	next, ok := e.Create(now, c)
	if ok != (err == nil) {
		m.Fatalf("%s: create: got %v, want created %t", m.step, err, ok)
	}
	if ok {
		m.same(m.step+": create", got, next.Record)
	}
	*e = next
}

func (m *machine) end(e *sessions.Entry, now sessions.Instant, which sessions.Selector, v byte) {
	end := sessions.End{
		Selector: which, Hash: hash(v), Proven: m.pick(3) == 0, Reason: sessions.ReasonRevoked,
		Absolute: now.Add(time.Duration(m.pick(2)) * time.Hour),
	}
	got, err := m.store.End(context.Background(), end)
	m.ok(err)
	next, want := e.End(now, end)
	*e = next
	m.same(m.step+": end", got, want)
}

func (m *machine) touch(e *sessions.Entry, now sessions.Instant, which sessions.Selector) {
	age := time.Duration(m.pick(120)) * time.Second
	got, err := m.store.Touch(context.Background(), []sessions.Touch{{Selector: which, Age: age}})
	m.ok(err)
	next, want := e.Touch(now, age)
	*e = next
	if got[0] != want {
		m.Fatalf("%s: touch: got %+v, want %+v", m.step, got[0], want)
	}
}

func (m *machine) rotate(e *sessions.Entry, now sessions.Instant, which sessions.Selector, v byte) {
	r := sessions.Rotation{
		Selector: which, Old: hash(v), New: hash(byte(m.pick(6))), Next: []byte{byte(m.pick(256))},
		Every: []time.Duration{0, time.Second, 10 * time.Minute}[m.pick(3)],
	}
	got, err := m.store.Rotate(context.Background(), r)
	m.ok(err)
	next, want := e.Rotate(now, r)
	*e = next
	m.sameReply("rotate", got, want)
}

func (m *machine) validate(e *sessions.Entry, now sessions.Instant, which sessions.Selector, v byte) {
	q := sessions.Validation{
		Selector: which, Hash: hash(v), Active: m.pick(3) > 0, Age: -1, Idle: idle,
		Settling: m.pick(4) == 0, RevokeReuse: m.pick(20) == 0,
	}
	if m.pick(3) == 0 {
		q.Age = time.Duration(m.pick(20*60)) * time.Second
	}
	if m.pick(3) == 0 {
		q.TicketLast = now.Add(time.Duration(m.pick(1200)-1100) * time.Second)
	}
	if m.pick(4) == 0 {
		q.RouteIdle = 5 * time.Minute
	}
	if m.pick(4) == 0 {
		q.RouteAbsolute = 20 * time.Minute
	}
	got, err := m.store.Validate(context.Background(), q)
	m.ok(err)
	next, want := e.Validate(now, q)
	*e = next
	m.sameReply("validate", got, want)
}

func (m *machine) sameReply(call string, got, want sessions.Reply) {
	m.Helper()
	m.same(m.step+": "+call, got.Record, want.Record)
	got.Record, want.Record = nil, nil
	if got != want {
		m.Fatalf("%s: %s: got %+v, want %+v", m.step, call, got, want)
	}
}
