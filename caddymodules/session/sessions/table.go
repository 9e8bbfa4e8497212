package sessions

import (
	"sync"
	"time"
)

// held is what this node holds of one session. Its table's shard guards it.
type held struct {
	selector Selector
	// copy is the session as last read, confirmed when the store last stood by it.
	copy      Copy
	confirmed Instant
	// stored is the newest last activity that the store is known to hold, as of the link of that
	// epoch: a store that was away may have come back with less.
	stored Instant
	epoch  uint64
	// own is the exact last activity here, by the node's clock; zero if none.
	own time.Time
	// dirty says that own must be flushed when due, and every is how long after the stored activity
	// that is.
	dirty bool
	due   time.Time
	every time.Duration
	// ticket is a digest of the last ticket that was found good here, and until when it is fresh.
	ticket      uint64
	ticketFresh time.Time
	// renewed is a digest of the last ticket that a response replaced. Until renewedUntil a client that
	// presents the same ticket again gets no other one: it may never take any.
	renewed      uint64
	renewedUntil time.Time
	// addr is from where the session was last used here.
	addr string
	// retryRotation spares a store that did not answer a rotation.
	retryRotation time.Time
	asking        *question

	newer, older *held // order of use within the shard
}

// adopt takes a copy, unless a newer one came first.
func (h *held) adopt(c Copy) {
	if h.copy.Record == nil || h.copy.Record.Generation <= c.Record.Generation {
		h.copy = c
	}
}

const shards = 64

// table holds sessions by selector, bounded: the least recently used go first. What is dirty is in
// the flusher's hands too and is flushed all the same.
type table struct {
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	byKey  map[Selector]*held
	recent held // ring: recent.older is the newest, recent.newer the oldest
	most   int
}

func newTable(most int) *table {
	t := new(table)
	for i := range t.shards {
		s := &t.shards[i]
		s.byKey = make(map[Selector]*held)
		s.recent.newer, s.recent.older = &s.recent, &s.recent
		s.most = max(1, (most+shards-1)/shards)
	}
	return t
}

// lock returns the locked shard of a selector, whose bits are random.
func (t *table) lock(selector Selector) *shard {
	s := &t.shards[selector[0]%shards]
	s.mu.Lock()
	return s
}

// find returns what is held, nil if nothing, and counts as use.
func (s *shard) find(selector Selector) *held {
	h := s.byKey[selector]
	if h != nil && s.recent.older != h {
		h.unlink()
		s.push(h)
	}
	return h
}

// keep returns what is held, made if there is nothing.
func (s *shard) keep(selector Selector) *held {
	if h := s.find(selector); h != nil {
		return h
	}
	h := &held{selector: selector}
	s.byKey[selector] = h
	s.push(h)
	if len(s.byKey) > s.most {
		s.forget(s.recent.newer)
	}
	return h
}

// forget drops what is held.
func (s *shard) forget(h *held) {
	if s.byKey[h.selector] == h {
		delete(s.byKey, h.selector)
		h.unlink()
	}
}

// push makes h the newest.
func (s *shard) push(h *held) {
	h.newer, h.older = &s.recent, s.recent.older
	h.older.newer, s.recent.older = h, h
}

func (h *held) unlink() {
	h.newer.older, h.older.newer = h.older, h.newer
	h.newer, h.older = nil, nil
}

// len counts what is held.
func (t *table) len() (n int) {
	for i := range t.shards {
		t.shards[i].mu.Lock()
		n += len(t.shards[i].byKey)
		t.shards[i].mu.Unlock()
	}
	return n
}
