//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kind is a sort of fault.
type kind struct {
	name string
	// hurts is what of the stack it happens to: two faults at once never hurt the same.
	hurts string
	// cost is how many limits more than one a window that it touches may admit, of n nodes, to a client who goes to
	// them all alike or not.
	cost func(n int, evenly bool) float64
	// instant is a fault that is over when it has begun.
	instant bool
	// loses is a fault after which a Redis that keeps nothing is empty.
	loses bool
	// only is the stack that it happens in. Empty: both.
	only string
}

const (
	kept      = "kept"      // Redis with an append-only file
	forgetful = "forgetful" // Redis in memory alone
)

// What the specification allows. Nodes that lose Redis begin with what they know of the window, so whom they have seen
// alike gets little more; a client whom one node knows best never more than the shares of the others again. Of n nodes
// k that are cut off, or come anew, add k shares.
var (
	nothing  = func(int, bool) float64 { return 0 }
	oneShare = func(n int, _ bool) float64 { return 1 / float64(n) }
	failover = func(n int, evenly bool) float64 {
		if evenly {
			return 0.35 // the target is 0.1; a busy machine loses Redis more than once
		}
		return float64(n-1) / float64(n)
	}
	anew = func(int, bool) float64 { return 1 }
)

var kinds = []kind{
	{name: "redis killed", hurts: "redis", cost: failover, loses: true},
	{name: "redis restarted", instant: true, hurts: "redis", cost: failover, loses: true},
	{name: "redis hung", hurts: "redis", cost: failover},
	{name: "redis paused for its clients", hurts: "redis", cost: failover},
	{name: "redis stalling", hurts: "redis", cost: failover},
	{name: "scripts flushed", hurts: "redis", cost: nothing},
	{name: "all flushed", instant: true, hurts: "redis", cost: anew, only: forgetful},
	{name: "packets dropped", hurts: "wire", cost: failover, only: kept},
	{name: "packets of a node dropped", hurts: "wire", cost: oneShare, only: kept},
	{name: "node killed", hurts: "node", cost: oneShare},
	{name: "node restarted", instant: true, hurts: "node", cost: oneShare},
	{name: "node reloaded", instant: true, hurts: "node", cost: nothing},
}

// fault is one that was drawn.
type fault struct {
	kind
	// node is whom it strikes, if it strikes one.
	node int
	// from and to are when, counted from the beginning of its episode.
	from, to time.Duration
}

func (f fault) String() string {
	if strings.Contains(f.name, "node") {
		return fmt.Sprintf("%s (node %d)", f.name, f.node+1)
	}
	return f.name
}

// episode is one fault, or two at once, and what follows.
type episode struct {
	faults []fault
	// rest is how long all is well afterwards, once limits are exact again. Zero: the next episode does not wait.
	rest time.Duration
}

func (e episode) String() string {
	var parts []string
	for _, f := range e.faults {
		part := fmt.Sprintf("%s at %.1fs", f, f.from.Seconds())
		if !f.instant {
			part += fmt.Sprintf(" for %.1fs", (f.to - f.from).Seconds())
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " + ")
}

// plan draws one episode after another: the same for a seed, however long the run is.
type plan struct {
	random *rand.Rand
	stack  string
	nodes  int
	// deck holds the kinds that are yet to come: each comes once before one comes again.
	deck []kind
}

func newPlan(seed uint64, stack string, nodes int) *plan {
	return &plan{random: rand.New(rand.NewPCG(seed, uint64(nodes))), stack: stack, nodes: nodes}
}

func (p *plan) next() episode {
	if len(p.deck) == 0 {
		p.deck = p.possible()
		p.random.Shuffle(len(p.deck), func(i, j int) { p.deck[i], p.deck[j] = p.deck[j], p.deck[i] })
	}
	first := p.fault(p.deck[0], 0, p.milliseconds(500, 7000))
	p.deck = p.deck[1:]
	e := episode{faults: []fault{first}, rest: p.milliseconds(3500, 5000)}
	if p.random.IntN(2) == 0 {
		others := slices.DeleteFunc(p.possible(), func(k kind) bool { return k.hurts == first.hurts })
		from := p.milliseconds(100, 3000)
		if !first.instant {
			from = min(from, first.to-100*time.Millisecond)
		}
		e.faults = append(e.faults, p.fault(others[p.random.IntN(len(others))], from, p.milliseconds(200, 4000)))
	}
	if p.random.IntN(4) == 0 {
		e.rest = 0
	}
	return e
}

func (p *plan) fault(k kind, from, hold time.Duration) fault {
	if k.instant {
		hold = 0
	}
	return fault{kind: k, node: p.random.IntN(p.nodes), from: from, to: from + hold}
}

// possible are the kinds of fault that this stack knows.
func (p *plan) possible() []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return k.only != "" && k.only != p.stack })
}

func (p *plan) milliseconds(low, high int) time.Duration {
	return time.Duration(low+p.random.IntN(high-low)) * time.Millisecond
}

// The sequence is that of its seed, and no two faults of an episode hurt the same.
func TestPlan(t *testing.T) {
	for _, stack := range []string{kept, forgetful} {
		one, same, other := newPlan(1, stack, 3), newPlan(1, stack, 3), newPlan(2, stack, 3)
		var ones, others []string
		seen := map[string]bool{}
		for range 100 {
			e := one.next()
			require.Equal(t, e.String(), same.next().String())
			ones, others = append(ones, e.String()), append(others, other.next().String())
			hurt := map[string]bool{}
			for _, f := range e.faults {
				require.False(t, hurt[f.hurts], "%s", e)
				require.LessOrEqual(t, f.from, f.to)
				hurt[f.hurts], seen[f.name] = true, true
			}
		}
		require.NotEqual(t, ones, others)
		require.Len(t, seen, len(one.possible()))
	}
}
