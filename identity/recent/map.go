// Package recent keeps values that were made lately, by a text, within a bound in bytes.
//
// It suits values that are cheap to make again and soon out of date, such as signed and verified
// assertions: when it is full, the older half goes. It knows nothing of what it keeps; whether a
// value is still good is for the caller to see. Start with [New].
package recent

import (
	"hash/maphash"
	"sync"
)

// shards lets requests on many processors pass one another.
const shards = 16

// Map is safe for concurrent use.
type Map[V any] struct {
	seed   maphash.Seed
	shards [shards]shard[V]
}

// shard has two generations: what is put goes into the young one; when that has its half of the
// bound, it becomes the old one, and the old one goes.
type shard[V any] struct {
	mu         sync.RWMutex
	half       int // bytes
	size       int // bytes in young
	young, old map[string]entry[V]
}

type entry[V any] struct {
	value V
	size  int
}

// New returns a map whose entries have at most so many bytes together, by the sizes that Put is told.
func New[V any](maxBytes int) *Map[V] {
	m := &Map[V]{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].half = maxBytes / shards / 2
		m.shards[i].young = make(map[string]entry[V])
	}
	return m
}

// Get returns what was last put under key.
func (m *Map[V]) Get(key string) (V, bool) {
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.young[key]
	if !ok {
		e, ok = s.old[key]
	}
	return e.value, ok
}

// GetBytes is Get without a string to be made first.
func (m *Map[V]) GetBytes(key []byte) (V, bool) {
	s := &m.shards[maphash.Bytes(m.seed, key)%shards]
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.young[string(key)]
	if !ok {
		e, ok = s.old[string(key)]
	}
	return e.value, ok
}

// Put keeps a value of so many bytes, the key's own among them. One that is larger than half a
// shard is not kept.
func (m *Map[V]) Put(key string, value V, size int) {
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size -= s.young[key].size
	delete(s.young, key)
	delete(s.old, key)
	if size > s.half {
		return
	}
	if s.size+size > s.half {
		s.old, s.young, s.size = s.young, make(map[string]entry[V]), 0
	}
	s.young[key] = entry[V]{value: value, size: size}
	s.size += size
}

// Size returns the bytes that are kept, by what Put was told, and the number of entries. It looks at
// all of them.
func (m *Map[V]) Size() (bytes, entries int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		for _, generation := range []map[string]entry[V]{s.young, s.old} {
			for _, e := range generation {
				bytes += e.size
				entries++
			}
		}
		s.mu.RUnlock()
	}
	return bytes, entries
}
