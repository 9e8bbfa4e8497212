package localstore

import (
	"sync"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

const (
	// chunk is how many cells are allocated together.
	chunk = 32
	// sample is how many cells are looked at for one that makes room.
	sample = 32
	// sweep is how many cells each new key looks at for one that has recovered.
	sweep = 2
)

// shard is a part of the store with a lock of its own.
type shard struct {
	mu    sync.Mutex
	index map[cellID]*entry
	// chunks are all cells ever made, so that their addresses stay; free are those of them that
	// are in no index. hand goes round them.
	chunks []*[chunk]entry
	free   []*entry
	hand   int
	bytes  int64

	maxCells int
	maxBytes int64
	// overflowing is the number of overflow cells.
	overflowing int
	store       *Store
}

func (sh *shard) init(s *Store) {
	sh.index = make(map[cellID]*entry)
	sh.store = s
}

// place makes a cell for a new key, or names the one that it shares.
func (sh *shard) place(id cellID, p *limiter.Policy, now int64) *entry {
	for range min(sweep, len(sh.chunks)*chunk) {
		if c := sh.next(); sh.reusable(c, now) {
			sh.drop(c)
		}
	}
	if len(sh.index)-sh.overflowing < sh.maxCells && sh.bytes < sh.maxBytes {
		return sh.add(id, p)
	}
	if victim := sh.victim(now); victim != nil {
		sh.drop(victim)
		return sh.add(id, p)
	}
	shared := overflowID(id, p)
	if c, ok := sh.index[shared]; ok {
		return c
	}
	c := sh.add(shared, p)
	c.overflow = true
	sh.overflowing++
	return c
}

// overflow is the shared cell of that name, unless nothing is counted in it any more.
func (sh *shard) overflow(id cellID, now int64) *entry {
	c := sh.index[id]
	if c != nil && sh.reusable(c, now) {
		sh.drop(c)
		return nil
	}
	return c
}

// victim is the cell that makes room: one that has recovered, else of a sample the one with the
// least debt, but never one that is being refused. One with debts to the shared store goes only
// where there is no other: what it owed is then forgotten.
func (sh *shard) victim(now int64) *entry {
	var least *entry
	lowest := 2.0
	for range min(sample, len(sh.chunks)*chunk) {
		c := sh.next()
		if c.policy == nil || c.overflow {
			continue
		}
		recovered, level := c.recovered(now)
		if recovered {
			return c
		}
		if level >= 1 {
			continue
		}
		if c.degraded {
			level++
		}
		if level < lowest {
			least, lowest = c, level
		}
	}
	return least
}

// reusable says whether the cell is in use and holds nothing that anybody has to remember.
func (sh *shard) reusable(c *entry, now int64) bool {
	if c.policy == nil {
		return false
	}
	recovered, _ := c.recovered(now)
	return recovered
}

func (sh *shard) next() *entry {
	sh.hand = (sh.hand + 1) % (len(sh.chunks) * chunk)
	return &sh.chunks[sh.hand/chunk][sh.hand%chunk]
}

func (sh *shard) add(id cellID, p *limiter.Policy) *entry {
	if len(sh.free) == 0 {
		made := new([chunk]entry)
		sh.chunks = append(sh.chunks, made)
		for i := range made {
			sh.free = append(sh.free, &made[i])
		}
	}
	c := sh.free[len(sh.free)-1]
	sh.free = sh.free[:len(sh.free)-1]
	*c = entry{id: id, policy: p.Parent(), outage: sh.store.outage.Load()}
	switch p.Algorithm {
	case limiter.Log:
		c.window = new(window)
	case limiter.Slices:
		c.window = &window{slices: new(limiter.Slices60)}
	case limiter.GCRA:
	}
	sh.index[id] = c
	sh.account(c)
	return c
}

func (sh *shard) drop(c *entry) {
	if c.overflow {
		sh.overflowing--
	}
	if c.degraded {
		sh.store.unsynced.Add(-1)
	}
	delete(sh.index, c.id)
	sh.bytes -= int64(c.size)
	*c = entry{}
	sh.free = append(sh.free, c)
}

// account takes the cell's size into the shard's.
func (sh *shard) account(c *entry) {
	size := c.bytes()
	sh.bytes += size - int64(c.size)
	c.size = uint32(size)
}
