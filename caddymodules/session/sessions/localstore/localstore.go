// Package localstore keeps sessions in this process: bounded, gone at restart, and known to no other
// node. It runs the state machine of package sessions as it is.
package localstore

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// DefaultSessions bounds a Store that is given no other bound.
const DefaultSessions = 100_000

// sampled entries are looked at to find the one to drop when the store is full.
const sampled = 64

// Config makes a Store.
type Config struct {
	// MaxSessions bounds what is kept. Beyond it the session that was unused for longest, as far as a
	// sample shows, is dropped for a new one. Default: DefaultSessions.
	MaxSessions int
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Store is a sessions.Store. It always answers.
type Store struct {
	now func() time.Time
	max int

	mu        sync.Mutex
	entries   map[sessions.Selector]*entry
	members   map[sessions.User][]member
	notBefore map[sessions.User]mark
	swept     sessions.Instant
}

// entry is what is kept under a selector until it may be forgotten.
type entry struct {
	sessions.Entry
	until sessions.Instant
}

// member is a session of a user.
type member struct {
	selector sessions.Selector
	until    sessions.Instant
}

type mark struct{ at, until sessions.Instant }

// New makes an empty Store.
func New(c Config) *Store {
	if c.MaxSessions <= 0 {
		c.MaxSessions = DefaultSessions
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{
		now:       c.Now,
		max:       c.MaxSessions,
		entries:   make(map[sessions.Selector]*entry),
		members:   make(map[sessions.User][]member),
		notBefore: make(map[sessions.User]mark),
	}
}

// Len is the number of sessions and tombstones that are kept.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// Lose forgets a session without a trace, as a store does that comes back without its last writes.
func (s *Store) Lose(selector sessions.Selector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, selector)
}

// Read implements sessions.Store.
func (s *Store) Read(_ context.Context, selector sessions.Selector, _ sessions.CachedSession) (sessions.CachedSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(selector)
	if e.Record == nil {
		return sessions.CachedSession{}, nil
	}
	return sessions.CachedSession{Record: e.Record, NotBefore: s.notBefore[e.Record.User()].at}, nil
}

// Validate implements sessions.Store.
func (s *Store) Validate(_ context.Context, v sessions.Validation) (sessions.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, reply := s.entry(v.Selector).Validate(s.instant(), v)
	s.put(v.Selector, e)
	s.complete(&reply)
	return reply, nil
}

// Rotate implements sessions.Store.
func (s *Store) Rotate(_ context.Context, r sessions.Rotation) (sessions.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, reply := s.entry(r.Selector).Rotate(s.instant(), r)
	s.put(r.Selector, e)
	s.complete(&reply)
	return reply, nil
}

// Touch implements sessions.Store.
func (s *Store) Touch(_ context.Context, touches []sessions.Touch) ([]sessions.Touched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := make([]sessions.Touched, len(touches))
	for i, t := range touches {
		var e sessions.Entry
		e, answers[i] = s.entry(t.Selector).Touch(s.instant(), t.Age)
		s.put(t.Selector, e)
	}
	return answers, nil
}

// Create implements sessions.Store.
func (s *Store) Create(_ context.Context, c sessions.Creation) (*sessions.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.instant()
	e, ok := s.entry(c.Record.Selector).Create(now, c)
	if !ok {
		return nil, sessions.ErrConflict
	}
	if len(s.entries) >= s.max {
		s.makeRoom(now)
	}
	s.sweep(now)
	s.entries[c.Record.Selector] = &entry{e, e.Record.Absolute.Add(sessions.TombstoneTTL)}
	return e.Record, nil
}

// End implements sessions.Store.
func (s *Store) End(_ context.Context, end sessions.End) (*sessions.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, record := s.entry(end.Selector).End(s.instant(), end)
	if e.Buried && s.entries[end.Selector] == nil {
		s.entries[end.Selector] = &entry{until: end.Absolute.Add(sessions.TombstoneTTL)}
	}
	s.put(end.Selector, e)
	return record, nil
}

// Enroll implements sessions.Store. Sessions by the provider's session are not kept: nobody asks a
// store of one process for them yet.
func (s *Store) Enroll(_ context.Context, e sessions.Enrollment) ([]sessions.Selector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.instant()
	var kept []member
	var others []sessions.Selector
	for _, m := range s.members[e.User] {
		if m.until > now && m.selector != e.Selector {
			kept = append(kept, m)
			others = append(others, m.selector)
		}
	}
	if e.Max > 0 && len(kept) >= e.Max {
		return others, nil
	}
	s.members[e.User] = append(kept, member{e.Selector, now.Add(e.Lifetime)})
	return nil, nil
}

// Alive implements sessions.Store.
func (s *Store) Alive(_ context.Context, selectors []sessions.Selector, idle time.Duration) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.instant()
	alive := make([]bool, len(selectors))
	for i, selector := range selectors {
		alive[i] = s.entry(selector).Alive(now, idle)
	}
	return alive, nil
}

// RevokeUser implements sessions.Store.
func (s *Store) RevokeUser(_ context.Context, user sessions.User, lifetime time.Duration) (sessions.Instant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.instant()
	at := max(now, s.notBefore[user].at)
	s.notBefore[user] = mark{at, at.Add(lifetime + sessions.TombstoneTTL)}
	return at, nil
}

// Withdraw implements sessions.Store.
func (s *Store) Withdraw(_ context.Context, user sessions.User, _ sessions.ProviderSession, selectors ...sessions.Selector) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, selector := range selectors {
		members := s.members[user]
		for i := range members {
			if members[i].selector == selector {
				s.members[user] = append(members[:i:i], members[i+1:]...)
				break
			}
		}
	}
	if len(s.members[user]) == 0 {
		delete(s.members, user)
	}
	return nil
}

func (s *Store) instant() sessions.Instant { return sessions.InstantOf(s.now()) }

// entry is what is there; what is past its time is not.
func (s *Store) entry(selector sessions.Selector) sessions.Entry {
	e := s.entries[selector]
	if e == nil {
		return sessions.Entry{}
	}
	if s.instant() >= e.until {
		delete(s.entries, selector)
		return sessions.Entry{}
	}
	return e.Entry
}

// put writes back what was there.
func (s *Store) put(selector sessions.Selector, e sessions.Entry) {
	if kept := s.entries[selector]; kept != nil {
		kept.Entry = e
	}
}

func (s *Store) complete(reply *sessions.Reply) {
	if reply.Record != nil {
		reply.NotBefore = s.notBefore[reply.Record.User()].at
	}
}

// sweepEvery bounds how long what is past its time takes room.
const sweepEvery = time.Minute

// sweep drops what is past its time.
func (s *Store) sweep(now sessions.Instant) {
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	for selector, e := range s.entries {
		if now >= e.until {
			delete(s.entries, selector)
		}
	}
	for user, members := range s.members {
		live := members[:0:0]
		for _, m := range members {
			if m.until > now {
				live = append(live, m)
			}
		}
		if s.members[user] = live; len(live) == 0 {
			delete(s.members, user)
		}
	}
	for user, m := range s.notBefore {
		if now >= m.until {
			delete(s.notBefore, user)
		}
	}
}

// makeRoom drops what was unused for longest of a sample; tombstones are the last to go.
func (s *Store) makeRoom(now sessions.Instant) {
	if s.sweep(now); len(s.entries) < s.max {
		return
	}
	var victim sessions.Selector
	oldest, n := sessions.Instant(-1), 0
	for selector, e := range s.entries { // in random order
		last := e.Last
		if e.Buried {
			last = e.until
		}
		if oldest < 0 || last < oldest {
			victim, oldest = selector, last
		}
		if n++; n == sampled {
			break
		}
	}
	delete(s.entries, victim)
}

var _ sessions.Store = (*Store)(nil)
