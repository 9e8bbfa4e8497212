package redisstore

import (
	"encoding/base64"
	"math"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// encodedPolicy is what the scripts are told of a policy, rendered once.
type encodedPolicy struct {
	suffix                           string // of the key
	algorithm, capacity, scale, pace string
	// room is the part of the capacity that remained when the policy was last decided, as the bits
	// of a float64.
	room atomic.Uint64
}

func newEncodedPolicy(p *limiter.Policy) *encodedPolicy {
	w := &encodedPolicy{suffix: "}:" + p.ID(), capacity: strconv.FormatInt(p.Capacity(), 10)}
	switch p.Algorithm {
	case limiter.GCRA:
		token, repay := p.Scale()
		w.algorithm, w.scale, w.pace = "g", strconv.FormatInt(token, 10), strconv.FormatInt(repay, 10)
	case limiter.Log:
		w.algorithm, w.scale, w.pace = "l", strconv.FormatInt(p.Window().Microseconds(), 10), "0"
	case limiter.Slices:
		w.algorithm, w.scale, w.pace = "s", strconv.FormatInt(p.Window().Microseconds(), 10), strconv.FormatInt(p.SliceWidth(), 10)
	}
	w.room.Store(math.Float64bits(1))
	return w
}

// key is where a claim's state is. The braces keep the states of one limiter.Key in one slot.
func (w *encodedPolicy) key(k limiter.Key) string {
	const prefix = "gh:rl:{"
	b := make([]byte, 0, 64)
	b = append(b, prefix...)
	b = base64.RawURLEncoding.AppendEncode(b, k[:])
	b = append(b, w.suffix...)
	return string(b)
}

func (w *encodedPolicy) remember(d *limiter.Decision) {
	room := 0.0
	if d.Quota > 0 {
		room = float64(d.Remaining) / float64(d.Quota)
	}
	w.room.Store(math.Float64bits(room))
}

// remembered is the part of the capacity that remained.
func (w *encodedPolicy) remembered() float64 { return math.Float64frombits(w.room.Load()) }

// maxWires bounds the wires kept: configurations come and go, and so do their policies.
const maxWires = 4096

// wires keeps the wire of each policy.
type wires struct {
	byPolicy sync.Map // *limiter.Policy → *wire
	count    atomic.Int64
}

func (ws *wires) of(p *limiter.Policy) *encodedPolicy {
	if w, ok := ws.byPolicy.Load(p); ok {
		return w.(*encodedPolicy)
	}
	if ws.count.Add(1) > maxWires {
		ws.byPolicy.Clear()
		ws.count.Store(1)
	}
	w, _ := ws.byPolicy.LoadOrStore(p, newEncodedPolicy(p))
	return w.(*encodedPolicy)
}

// arguments are the keys and arguments of one call. They are pooled.
type arguments struct {
	keys, args []string
}

var pool = sync.Pool{New: func() any { return new(arguments) }}

func borrow(clock string) *arguments {
	a := pool.Get().(*arguments)
	a.args = append(a.args, clock)
	return a
}

func (a *arguments) giveBack() {
	clear(a.keys)
	clear(a.args)
	a.keys, a.args = a.keys[:0], a.args[:0]
	pool.Put(a)
}
