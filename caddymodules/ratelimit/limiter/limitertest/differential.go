package limitertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Differential sends the same random operations to a store and to the [Model] and wants the same
// decisions: takes of one to four claims, refunds, limits that change under live keys, and a clock
// that creeps, jumps and is set back; and merges, if the store has a Merge. A store may forget a state
// once all has come back. The seeds are fixed; a
// failure names its seed and prints the operations before it.
//
// The store must decide all claims of a call in one step.
func Differential(t *testing.T, open func(t *testing.T, clock *Clock) limiter.Store) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			f := newFixture(t, open)
			d := &differential{
				fixture: f,
				model:   NewModel(f.clock.Now),
				random:  rand.New(rand.NewPCG(seed, 0)),
			}
			for i := range d.limits {
				d.limits[i] = d.policy(i+1, nil)
			}
			for range 500 {
				d.operation()
			}
		})
	}
}

// merger is a store that a node tells what it has admitted alone.
type merger interface {
	Merge(ctx context.Context, merges []limiter.Merge) error
}

// algorithms are those of the limits by ordinal.
var algorithms = [...]limiter.Algorithm{
	limiter.GCRA, limiter.Log, limiter.Slices, limiter.GCRA, limiter.GCRA, limiter.Log, limiter.Slices,
}

const keys = 3

// life is what is known of one state.
type life struct {
	// generation is part of the key.
	generation int
	// policy is that of the last charge, and end when all of it had come back by itself: from then
	// on a store may forget the state.
	policy *limiter.Policy
	end    int64
}

type differential struct {
	*fixture
	model  *Model
	random *rand.Rand
	lives  [keys][len(algorithms)]life
	// latest is the latest moment that the clock has shown.
	latest int64
	// limits are those in force, each under its own ordinal.
	limits [len(algorithms)]*limiter.Policy
	// passed are calls that may yet be refunded.
	passed [][]limiter.Claim
	// history is what was done, newest last.
	history []string
}

func (d *differential) operation() {
	switch n := d.random.IntN(100); {
	case n < 70:
		d.take()
	case n < 76:
		d.refund()
	case n < 80:
		d.merge()
	case n < 86:
		i := d.random.IntN(len(d.limits))
		d.limits[i] = d.policy(i+1, d.limits[i])
		d.log("limit %d is now %s", i+1, d.limits[i])
	default:
		d.move()
	}
}

func (d *differential) log(format string, args ...any) {
	d.history = append(d.history, fmt.Sprintf(format, args...))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// policy is a random limit of the algorithm that belongs to the ordinal, so that a changed limit
// meets the state of the one before. Every other time it keeps a number or two of that one.
func (d *differential) policy(ordinal int, before *limiter.Policy) *limiter.Policy {
	for {
		limit := limiter.Limit{
			Algorithm: algorithms[ordinal-1],
			Rate:      pick[int64](d.random, 0, 1, 2, 3, 7, 10, 60, 100, 1000, 300_000, 999_999_937),
			Period: pick(d.random, 61*time.Microsecond, time.Millisecond, 999_983*time.Microsecond, time.Second,
				7*time.Second+3*time.Microsecond, time.Minute, time.Hour, 24*time.Hour, limiter.LargestPeriod),
		}
		if limit.Algorithm == limiter.GCRA {
			limit.Burst = pick[int64](d.random, 0, 1, 5, 50, 284, 1000, 30_000_000)
		}
		if before != nil && d.random.IntN(2) == 0 {
			switch d.random.IntN(3) {
			case 0:
				limit.Period, limit.Burst = before.Period, before.Burst
			case 1:
				limit.Rate, limit.Burst = before.Rate, before.Burst
			case 2:
				limit.Rate, limit.Period = before.Rate, before.Period
			}
		}
		if p, err := limiter.NewPolicy("test", ordinal, limit); err == nil {
			return p
		}
	}
}

func (d *differential) take() {
	var claims []limiter.Claim
	for range 1 + d.random.IntN(4) {
		p := pick(d.random, d.limits[:]...)
		c := limiter.Claim{Key: d.key(p), Policy: p}
		twice := slices.ContainsFunc(claims, func(o limiter.Claim) bool { return o.Key == c.Key && o.Policy == p })
		if twice {
			continue
		}
		switch d.random.IntN(10) {
		case 0:
			c.Cost = 0
		case 1:
			c.Cost = p.Capacity()
		case 2:
			c.Cost = p.Capacity() + 1
		case 3, 4:
			c.Cost = d.random.Int64N(p.Capacity() + 1)
		default:
			c.Cost = 1
		}
		claims = append(claims, c)
	}
	wanted := slices.Clone(claims)
	if err := d.model.Take(d.t.Context(), wanted); err != nil {
		d.t.Fatalf("model: take: %v", err)
	}
	d.fixture.take(claims...)
	for i, c := range claims {
		d.log("take %d of %s on %x: %s", c.Cost, c.Policy, c.Key[:2], describe(wanted[i].Decision))
	}
	for i, c := range claims {
		if c.Decision != wanted[i].Decision {
			for _, line := range d.history[max(0, len(d.history)-40):] {
				d.t.Log(line)
			}
			d.t.Fatalf("claim %d of the last %d:\n got %s\nwant %s", i+1, len(claims), describe(c.Decision), describe(wanted[i].Decision))
		}
	}
	if limiter.Allowed(claims) {
		d.passed = append(d.passed, claims)
		for _, c := range claims {
			if c.Cost > 0 {
				d.touched(c.Key, c.Policy)
			}
		}
	}
}

// key is one of the keys for a claim of the policy. A store may or may not have forgotten a state that
// had recovered, which shows when its limit changes afterwards, or time moves back: then it is a new key.
func (d *differential) key(p *limiter.Policy) limiter.Key {
	i := d.random.IntN(keys)
	l := &d.lives[i][p.Ordinal-1]
	if now := d.clock.Now().UnixMicro(); l.policy != nil && d.latest >= l.end && (l.policy != p || now < l.end) {
		*l = life{generation: l.generation + 1}
	}
	return d.current(i, p)
}

func (d *differential) current(i int, p *limiter.Policy) limiter.Key {
	return Key(d.t, fmt.Sprintf("key %d, generation %d", i, d.lives[i][p.Ordinal-1].generation))
}

// life is that of the key's state, if it is still in use.
func (d *differential) life(key limiter.Key, p *limiter.Policy) *life {
	for i := range keys {
		if d.current(i, p) == key {
			return &d.lives[i][p.Ordinal-1]
		}
	}
	return nil
}

// touched notes that the state was written under the policy.
func (d *differential) touched(key limiter.Key, p *limiter.Policy) {
	look := []limiter.Claim{{Key: key, Policy: p}}
	if err := d.model.Take(d.t.Context(), look); err != nil {
		d.t.Fatalf("model: look: %v", err)
	}
	if l := d.life(key, p); l != nil {
		l.policy, l.end = p, look[0].Decision.At+look[0].Decision.ResetAfter.Microseconds()
	}
}

func (d *differential) refund() {
	if len(d.passed) == 0 {
		return
	}
	// Mostly the latest, which can still be given back.
	i := len(d.passed) - 1 - d.random.IntN(min(3, len(d.passed)))
	claims := slices.DeleteFunc(d.passed[i], func(c limiter.Claim) bool {
		l := d.life(c.Key, c.Policy)
		return l == nil || d.latest >= l.end
	})
	d.passed = slices.Delete(d.passed, i, i+1)
	if err := d.model.Refund(d.t.Context(), claims); err != nil {
		d.t.Fatalf("model: refund: %v", err)
	}
	d.fixture.refund(claims...)
	for _, c := range claims {
		d.log("refund %d of %s on %x", c.Cost, c.Policy, c.Key[:2])
		d.touched(c.Key, d.life(c.Key, c.Policy).policy)
	}
}

// merge sends one to three merges, of one key twice perhaps: of moments that have expired, that are
// recent, and that are a little ahead of the clock.
func (d *differential) merge() {
	store, ok := d.store.(merger)
	if !ok {
		return
	}
	now := d.clock.Now().UnixMicro()
	var merges []limiter.Merge
	for range 1 + d.random.IntN(3) {
		p := pick(d.random, d.limits[:]...)
		m := limiter.Merge{Key: d.key(p), Policy: p}
		moment := func() int64 { return now + 1000 - d.random.Int64N(2*p.Period.Microseconds()+1000) }
		switch p.Algorithm {
		case limiter.GCRA:
			token, _ := p.Scale()
			m.Debt = d.random.Int64N(p.Capacity()*token + 2)
			if d.random.IntN(2) == 0 {
				m.Floor = d.random.Int64N(p.Capacity()*token + 2)
			}
		case limiter.Log:
			for range d.random.IntN(20) {
				m.Times = append(m.Times, moment())
			}
			slices.Sort(m.Times)
		case limiter.Slices:
			for range d.random.IntN(20) {
				m.Slices = append(m.Slices, limiter.SliceCount{At: moment(), Count: d.random.Int64N(p.Rate/10 + 2)})
			}
		}
		merges = append(merges, m)
		d.log("merge of %s on %x: floor %d, debt %d, times %v, slices %v", p, m.Key[:2], m.Floor, m.Debt, m.Times, m.Slices)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := d.model.Merge(ctx, merges); err != nil {
		d.t.Fatalf("model: merge: %v", err)
	}
	if err := store.Merge(ctx, merges); err != nil {
		d.t.Fatalf("merge: %v", err)
	}
	for _, m := range merges {
		d.touched(m.Key, m.Policy)
	}
}

func (d *differential) move() {
	// Mostly on the scale of one of the limits.
	reach := 1 + pick(d.random, d.limits[:]...).Window()/4
	if d.random.IntN(3) == 0 {
		reach = pick(d.random, 2*time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour, 1000*time.Hour)
	}
	by := time.Duration(d.random.Int64N(int64(reach)))
	if d.random.IntN(8) == 0 {
		by = -by
	}
	d.clock.Advance(by)
	d.latest = max(d.latest, d.clock.Now().UnixMicro())
	d.log("clock moves by %s", by)
}
