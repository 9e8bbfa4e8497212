package localstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Defaults of Options, and the smallest bounds that are kept.
const (
	DefaultMaxKeys   = 200_000
	DefaultMaxMemory = 64 << 20

	shardCount = 64
	// overflowBuckets is how many buckets of each policy newcomers share when the store is full
	// of keys that are being refused.
	overflowBuckets = 1024
	// together is the number of claims that a call decides without allocating.
	together = 8
)

// Options bound a Store.
type Options struct {
	// MaxKeys is the largest number of keys. Default: 200,000.
	MaxKeys int
	// MaxMemory is the largest size in bytes, by estimate. Default: 64 MiB.
	MaxMemory int64
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Store is a limiter.Store of this process.
//
// When it is full, keys at full capacity make room first, then those with the least debt. A key that
// is being refused keeps its place until it has recovered; should all be such, newcomers share a
// number of overflow buckets, so that a flood can neither free a refused key nor lock others out.
type Store struct {
	now    func() time.Time
	start  time.Time
	epoch  int64 // µs since 1970 at start
	shards [shardCount]shard
	// unsynced counts the entries with admissions that the shared store does not know.
	unsynced atomic.Int64
	// outage is the number of the last outage whose hand-over has begun.
	outage atomic.Uint32
	// drainHand is the shard at which DrainSome goes on.
	drainHand atomic.Uint32
}

// New returns an empty store.
func New(opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{now: opts.Now, start: opts.Now()}
	s.epoch = s.start.UnixMicro()
	for i := range s.shards {
		s.shards[i].init(s)
	}
	s.Resize(opts.MaxKeys, opts.MaxMemory)
	return s
}

// Resize changes the bounds; zero means the default. Keys above a lowered bound make room as new
// ones come.
func (s *Store) Resize(maxKeys int, maxMemory int64) {
	if maxKeys <= 0 {
		maxKeys = DefaultMaxKeys
	}
	if maxMemory <= 0 {
		maxMemory = DefaultMaxMemory
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.maxCells = max(1, (maxKeys+shardCount-1)/shardCount)
		sh.maxBytes = maxMemory / shardCount
		sh.mu.Unlock()
	}
}

// Len is the number of keys held, those that have recovered and wait to be reused included.
func (s *Store) Len() int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += len(sh.index)
		sh.mu.Unlock()
	}
	return n
}

// Micros is the store's clock: microseconds since 1970 at its start, plus the time since then by the
// monotonic clock.
func (s *Store) Micros() int64 { return s.epoch + s.now().Sub(s.start).Microseconds() }

// Take implements limiter.Store.
func (s *Store) Take(ctx context.Context, claims []limiter.Claim) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", limiter.ErrUnavailable, err)
	}
	s.take(claims, counted)
	return nil
}

// accounting says who else counts what a Take admits.
type accounting uint8

const (
	// counted: nobody else has to be told, or the shared store counts it too.
	counted accounting = iota
	// alone: the shared store must be told when it answers again.
	degraded
)

// TakeDegraded is Take for a node that cannot ask the shared store: what it admits is remembered until
// Drain or DrainSome hands it over.
func (s *Store) TakeDegraded(claims []limiter.Claim) { s.take(claims, degraded) }

func (s *Store) take(claims []limiter.Claim, m accounting) {
	var buf [together]pending
	p := buf[:0]
	if len(claims) > together {
		p = make([]pending, 0, len(claims))
	}
	now := s.Micros()
	locked := s.lock(claims)
	defer s.unlock(locked)

	allowed := true
	for i := range claims {
		c := &claims[i]
		x := s.pending(c, now)
		c.Decision = x.decide(c, now)
		allowed = allowed && c.Decision.Allowed
		p = append(p, x)
	}
	if !allowed {
		uncharged(p, claims, now)
		return
	}
	// Cells that exist are written before new ones are made: making one may evict another.
	for i := range claims {
		if p[i].entry != nil {
			s.commit(&p[i], &claims[i], now, m)
		}
	}
	for i := range claims {
		if p[i].entry == nil && claims[i].Cost > 0 {
			p[i].entry = p[i].shard.place(p[i].id, claims[i].Policy, now)
			s.commit(&p[i], &claims[i], now, m)
		}
	}
}

// uncharged tells those claims that would have passed how things stand without them.
func uncharged(p []pending, claims []limiter.Claim, now int64) {
	for i := range claims {
		c := &claims[i]
		if c.Decision.Allowed && c.Cost > 0 {
			look := *c
			look.Cost = 0
			x := pending{entry: p[i].entry}
			c.Decision = x.decide(&look, now)
		}
	}
}

func (s *Store) commit(x *pending, c *limiter.Claim, now int64, m accounting) {
	if c.Cost == 0 {
		return
	}
	if x.entry.overflow {
		// What several keys share cannot be told key by key.
		m = counted
	}
	if m == degraded {
		s.degraded(x.entry, now)
	}
	x.charge(c, now, m)
	x.shard.account(x.entry)
}

// Refund implements limiter.Store.
func (s *Store) Refund(_ context.Context, claims []limiter.Claim) error {
	now := s.Micros()
	locked := s.lock(claims)
	defer s.unlock(locked)
	for i := range claims {
		c := &claims[i]
		if x := s.pending(c, now); x.entry != nil && c.Refundable(now) {
			x.entry.refund(c, now)
			x.shard.account(x.entry)
		}
	}
	return nil
}

// pending finds the claim's cell. Its shard must be locked.
func (s *Store) pending(c *limiter.Claim, now int64) pending {
	id := idOf(c)
	sh := &s.shards[shardOf(c.Key)]
	x := pending{shard: sh, id: id, entry: sh.index[id]}
	if x.entry == nil && sh.overflowing > 0 {
		// This key may have been counted in an overflow bucket.
		x.entry = sh.overflow(overflowID(id, c.Policy), now)
	}
	return x
}

// lock locks the shards of the claims in ascending order, as a bit set.
func (s *Store) lock(claims []limiter.Claim) uint64 {
	var set uint64
	for i := range claims {
		set |= 1 << shardOf(claims[i].Key)
	}
	for rest := set; rest != 0; rest &= rest - 1 {
		s.shards[bits.TrailingZeros64(rest)].mu.Lock()
	}
	return set
}

func (s *Store) unlock(set uint64) {
	for ; set != 0; set &= set - 1 {
		s.shards[bits.TrailingZeros64(set)].mu.Unlock()
	}
}

// shardOf relies on keys being digests.
func shardOf(k limiter.Key) uint { return uint(k[0]) % shardCount }

// cellID names a state: a key, and the algorithm and ordinal of the policy.
type cellID struct {
	key       limiter.Key
	algorithm limiter.Algorithm
	ordinal   uint8
}

func idOf(c *limiter.Claim) cellID {
	return cellID{key: c.Key, algorithm: c.Policy.Algorithm, ordinal: c.Policy.Ordinal}
}

// overflowID is the bucket that the key shares when there is no room for a cell of its own. It stays
// in the key's shard, and buckets of different zones are apart.
func overflowID(id cellID, p *limiter.Policy) cellID {
	var zone uint64 = 14695981039346656037 // FNV-1a
	for i := range len(p.Zone) {
		zone = (zone ^ uint64(p.Zone[i])) * 1099511628211
	}
	o := cellID{algorithm: id.algorithm, ordinal: id.ordinal}
	o.key[0] = id.key[0] % shardCount
	o.key[1] = id.key[1] % (overflowBuckets / shardCount)
	binary.BigEndian.PutUint64(o.key[8:], zone)
	return o
}

var _ limiter.Store = (*Store)(nil)
