package sessions

import (
	"sync"
	"time"
)

// cacheEntry is what this node caches of one session. The shard of its table guards it.
type cacheEntry struct {
	selector Selector
	// copy is the session as last read, confirmed when the store last stood by it.
	copy      CachedSession
	confirmed Instant
	// seenStored is the newest last activity that the store is known to hold, as of the link of that
	// epoch: a store that was away may have come back with less.
	seenStored Instant
	epoch      uint64
	// seenHere is the exact last activity here, by the node's clock; zero if none.
	seenHere time.Time
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
	asking        *inflight

	newer, older *cacheEntry // order of use within the shard
}

// adopt stores a cached session, unless the entry has a newer generation.
func (h *cacheEntry) adopt(c CachedSession) {
	if h.copy.Record == nil || h.copy.Record.Generation <= c.Record.Generation {
		h.copy = c
	}
}

const shards = 64

// table caches sessions by selector. It is bounded; the least recently used entries are removed first. An entry that is
// dirty is in the flusher too and is flushed after its removal.
type table struct {
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	byKey  map[Selector]*cacheEntry
	recent cacheEntry // ring: recent.older is the newest, recent.newer the oldest
	most   int
}

func newTable(most int) *table {
	t := new(table)
	for i := range t.shards {
		s := &t.shards[i]
		s.byKey = make(map[Selector]*cacheEntry)
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

// find returns the entry, nil if there is none, and marks it as used.
func (s *shard) find(selector Selector) *cacheEntry {
	h := s.byKey[selector]
	if h != nil && s.recent.older != h {
		h.unlink()
		s.push(h)
	}
	return h
}

// keep returns the entry and creates it if there is none.
func (s *shard) keep(selector Selector) *cacheEntry {
	if h := s.find(selector); h != nil {
		return h
	}
	h := &cacheEntry{selector: selector}
	s.byKey[selector] = h
	s.push(h)
	if len(s.byKey) > s.most {
		s.forget(s.recent.newer)
	}
	return h
}

// forget removes the entry.
func (s *shard) forget(h *cacheEntry) {
	if s.byKey[h.selector] == h {
		delete(s.byKey, h.selector)
		h.unlink()
	}
}

// push makes h the newest.
func (s *shard) push(h *cacheEntry) {
	h.newer, h.older = &s.recent, s.recent.older
	h.older.newer, s.recent.older = h, h
}

func (h *cacheEntry) unlink() {
	h.newer.older, h.older.newer = h.older, h.newer
	h.newer, h.older = nil, nil
}

// len is the number of entries.
func (t *table) len() (n int) {
	for i := range t.shards {
		t.shards[i].mu.Lock()
		n += len(t.shards[i].byKey)
		t.shards[i].mu.Unlock()
	}
	return n
}
