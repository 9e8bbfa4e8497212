package limiter

import (
	"fmt"
	"sync/atomic"
	"time"
)

// OnFailure is what a policy does while Redis cannot be asked.
type OnFailure uint8

const (
	// Share limits each node at its share of the limit: 1/N of it.
	Share OnFailure = iota
	// PerNode limits each node at the whole limit.
	PerNode
	// FailOpen admits.
	FailOpen
	// FailClosed refuses with [ErrClosed].
	FailClosed
)

// Never is the RetryAfter of a claim that no wait can admit: it costs more than the capacity.
const Never = time.Duration(-1)

// Policy is a Limit compiled for deciding, under the name by which it is reported.
// It is immutable and may be shared by any number of goroutines.
type Policy struct {
	Limit
	// Zone is the name of its zone; Name is the zone's for its first limit, `zone/2` for the next.
	Zone, Name string
	// Ordinal is 1 for the first limit of a zone. Together with the algorithm it names the
	// state, which thereby survives a change of the limit's numbers.
	Ordinal uint8
	// Local keeps the policy on this node: it never asks the shared store.
	Local bool
	// OnFailure says how the degraded store decides it.
	OnFailure OnFailure

	// token and repay are the GCRA scale, see [Limit.units].
	token, repay int64
	// width is the length of a slice, and window what Window returns, in microseconds.
	width, window int64

	share atomic.Pointer[sharePolicy]
	// whole is the policy that this one is a share of.
	whole *Policy
}

// NewPolicy validates and compiles the limit that is the ordinal-th (from 1) of the zone.
func NewPolicy(zone string, ordinal int, limit Limit) (*Policy, error) {
	if err := limit.Validate(); err != nil {
		return nil, err
	}
	if ordinal < 1 || ordinal > 255 {
		return nil, fmt.Errorf("a zone has at most 255 limits, got number %d", ordinal)
	}
	p := &Policy{Limit: limit, Zone: zone, Name: zone, Ordinal: uint8(ordinal)}
	if ordinal > 1 {
		p.Name = fmt.Sprintf("%s/%d", zone, ordinal)
	}
	p.compile()
	return p, nil
}

func (p *Policy) compile() {
	p.window = p.Period.Microseconds()
	switch p.Algorithm {
	case GCRA:
		p.token, p.repay = p.units()
		p.window = ceilDiv(p.Capacity()*p.token, p.repay)
	case Slices:
		// Rounded up: 60 slices must cover at least the window.
		p.width = (p.Period.Microseconds() + slices - 1) / slices
	case Log:
	}
}

// ID names the policy's state within its key: the algorithm and the ordinal, never the numbers.
func (p *Policy) ID() string { return fmt.Sprintf("%s%d", p.Algorithm, p.Ordinal) }

// Scale returns the GCRA scale: the debt units that a token costs and that a microsecond repays.
func (p *Policy) Scale() (token, repay int64) { return p.token, p.repay }

// SliceWidth is the length of one slice in microseconds. Slices only.
func (p *Policy) SliceWidth() int64 { return p.width }

// Window is the w of a RateLimit-Policy header: the time in which Quota can be used up again from
// nothing, ceil(B·T/R) for GCRA, the window for the others. It is exact to the microsecond, up.
func (p *Policy) Window() time.Duration { return micros(p.window) }

// Parent is the policy that this one is a share of, or itself.
func (p *Policy) Parent() *Policy {
	if p.whole != nil {
		return p.whole
	}
	return p
}

type sharePolicy struct {
	nodes, rank int
	policy      *Policy
}

// ShareOf returns the policy that one of nodes enforces alone when the shared store cannot be asked.
// rank, from 0, decides who gets the remainder; a negative rank gets none.
//
// The shares of all ranks add up to the limit exactly when it is at least nodes. Below that each
// node admits one event in nodes times the period, so together they exceed a burst but not the rate.
func (p *Policy) ShareOf(nodes, rank int) *Policy {
	if nodes <= 1 {
		return p
	}
	if s := p.share.Load(); s != nil && s.nodes == nodes && s.rank == rank {
		return s.policy
	}
	s := &sharePolicy{nodes: nodes, rank: rank, policy: p.shareOf(int64(nodes), int64(rank))}
	p.share.Store(s)
	return s.policy
}

func (p *Policy) shareOf(nodes, rank int64) *Policy {
	part := func(whole int64) int64 {
		n := whole / nodes
		if rank >= 0 && rank < whole%nodes {
			n++
		}
		return n
	}
	s := &Policy{
		Limit: p.Limit, Zone: p.Zone, Name: p.Name, Ordinal: p.Ordinal,
		Local: p.Local, OnFailure: p.OnFailure, whole: p,
	}
	switch {
	case p.Algorithm == GCRA:
		// The refill slows down by nodes, the time to full of a share is that of the whole.
		s.Burst = max(1, part(p.Capacity()))
		s.Period = micros(p.Period.Microseconds() * nodes)
	case p.Rate == 0:
		// A limit of nothing has shares of nothing.
	case p.Rate < nodes:
		// One event in W·N/L: stretched, so that the nodes together keep the rate.
		s.Rate = 1
		s.Period = micros(ceilDiv(p.Period.Microseconds()*nodes, p.Rate))
	default:
		s.Rate = part(p.Rate)
	}
	s.compile()
	return s
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
