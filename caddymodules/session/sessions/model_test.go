package sessions

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

// This is the rotation protocol, explored exhaustively in the small: one browser with one jar, two
// nodes whose copies may be stale, a few requests whose requests, responses and store answers are
// delayed, reordered and lost, and two rotations. Every state that can be reached is checked. The
// decisions are those of the package (Entry, copySays, evidence); rules that are taken out one by one
// must each lead to a state that is wrong, or the model would prove nothing.
//
// Time goes in ticks of half a grace period. A response is on its way for one tick at most.

const (
	modelTick      = GracePeriod / 2
	modelRotations = 2
	modelEvery     = modelTick
	// modelStale is how old a copy gets although nobody told the node of a change: F.
	modelStale = 2
)

func modelInstant(tick int8) Instant { return Instant(1_000_000).Add(time.Duration(tick) * modelTick) }

func modelHash(id int8) Hash {
	if id == 0 {
		return Hash{}
	}
	// As good as a digest, and ten times as fast.
	return Hash{byte(id), 1}
}

// rules are the decisions that the model takes from the package, and that mutations replace.
type rules struct {
	copySays func(CachedSession, Hash, Instant) bool
	validate func(Entry, Instant, Validation) (Entry, Reply)
	rotate   func(Entry, Instant, Rotation) (Entry, Reply)
	// reissues says with which outcomes the response carries the successor.
	reissues func(Outcome) bool
	// loser is what the response of a lost rotation carries: of its own verifier and the winner's.
	loser func(seenHere, winner int8) int8
	// carries says whether a response may still carry what was decided so many ticks ago.
	carries func(age int8) bool
	// deletes says whether a refusal deletes the cookie.
	deletes bool
	// stale is how old a copy may be used.
	stale         int8
	decideOffline func(evidence) offlineDecision
}

func realRules() rules {
	return rules{
		copySays:      copySays,
		validate:      Entry.Validate,
		rotate:        Entry.Rotate,
		reissues:      func(o Outcome) bool { return o == Superseded },
		loser:         func(_, winner int8) int8 { return winner },
		carries:       func(age int8) bool { return time.Duration(age)*modelTick < carryTime },
		stale:         modelStale,
		decideOffline: evidence.decideOffline,
	}
}

// modelState is everything: ids of verifiers are 1, 2, …, and 0 is none.
type modelState struct {
	entry Entry
	now   int8
	jar   int8
	nodes [2]modelNode
	// sent, accepted and answered requests, in no order.
	flights   []flightState
	sends     int8
	rotations int8
	ids       int8
	// usedAt is when a verifier was first accepted, by anybody; -1 if never. previous is whom it
	// replaced. Both are the truth, and not what anybody knows.
	usedAt, previous [8]int8
}

type modelNode struct {
	copy *Record
	at   int8
}

type flightState struct {
	stage   byte // 's'ent, 'a'ccepted, answe'r'ed
	id      int8 // the verifier presented
	since   int8 // when it was sent, decided, or answered
	carries int8 // the verifier that the response carries
	rotates bool // the node found a rotation due
	node    int8
}

func modelStart() *modelState {
	e, _ := Entry{}.Create(modelInstant(0), Creation{
		Record: Record{Session: Session{Selector: Selector{1}}, Current: modelHash(1)}, Lifetime: 24 * time.Hour,
	})
	s := &modelState{entry: e, jar: 1, ids: 1}
	for i := range s.usedAt {
		s.usedAt[i] = -1
	}
	return s
}

func (s *modelState) clone() *modelState {
	c := *s
	c.flights = slices.Clone(s.flights)
	return &c
}

// key tells states apart. Times are told by how long ago they are, up to where it makes no difference;
// the order of flights, and which node is which, make none either. So there are finitely many states
// although time goes on.
func (s *modelState) key() string {
	one, other := s.keyOf(0), s.keyOf(1)
	if one < other {
		return one
	}
	return other
}

func (s *modelState) keyOf(first int8) string {
	b := make([]byte, 0, 128)
	ago := func(at int8, most int8) byte { return byte(min(s.now-at, most)) }
	record := func(r *Record) {
		if r == nil {
			b = append(b, 255)
			return
		}
		until := byte(255)
		if r.PreviousUntil != 0 {
			until = byte(max(0, r.PreviousUntil.Sub(modelInstant(s.now))/modelTick))
		}
		due := modelInstant(s.now).Sub(r.Rotated) >= modelEvery
		b = append(b, r.Current[0], flag(r.Used), r.Previous[0], until, byte(r.Generation), flag(due), byte(len(r.Retired)))
		for _, m := range r.Retired {
			b = append(b, m[0])
		}
		b = append(b, r.Next...)
	}
	record(s.entry.Record)
	b = append(b, byte(s.jar), byte(s.sends), byte(s.rotations), byte(s.ids))
	for i := range s.usedAt {
		used := byte(255)
		if s.usedAt[i] >= 0 {
			used = ago(s.usedAt[i], 2+modelStale)
		}
		b = append(b, used, byte(s.previous[i]))
	}
	for i := range s.nodes {
		n := s.nodes[(int8(i)+first)%2]
		record(n.copy)
		b = append(b, ago(n.at, 2+modelStale))
	}
	flights := make([][6]byte, len(s.flights))
	for i, f := range s.flights {
		flights[i] = [6]byte{f.stage, byte(f.id), ago(f.since, 3), byte(f.carries), flag(f.rotates), byte((f.node + first) % 2)}
	}
	slices.SortFunc(flights, func(a, b [6]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, f := range flights {
		b = append(b, f[:]...)
	}
	return string(b)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// accepted notes the truth that a verifier is in use.
func (s *modelState) accepted(id int8) {
	if s.usedAt[id] < 0 {
		s.usedAt[id] = s.now
	}
}

// extent bounds what is explored: requests in all, requests at a time, nodes.
type extent struct{ sends, atOnce, nodes int }

var (
	wide = extent{sends: 3, atOnce: 3, nodes: 2}
	// apart leaves out what needs requests at the same time, long what needs two nodes.
	apart = extent{sends: 5, atOnce: 1, nodes: 2}
	long  = extent{sends: 5, atOnce: 2, nodes: 1}
)

// model explores.
type model struct {
	rules
	extent
	visited map[string]bool
	queue   []*modelState
	broken  string
}

func (m *model) explore() string {
	m.visited = make(map[string]bool)
	m.add(modelStart())
	for len(m.queue) > 0 && m.broken == "" {
		s := m.queue[0]
		m.queue[0] = nil
		m.queue = m.queue[1:]
		m.step(s)
	}
	return m.broken
}

func (m *model) add(s *modelState) {
	key := s.key()
	if m.broken != "" || m.visited[key] {
		return
	}
	m.visited[key] = true
	if m.broken = m.wrong(s); m.broken != "" {
		m.broken += fmt.Sprintf("\nin %+v\nof %+v", *s, s.entry.Record)
		return
	}
	m.queue = append(m.queue, s)
}

// step adds every state that can follow.
func (m *model) step(s *modelState) {
	if int(s.sends) < m.sends && len(s.flights) < m.atOnce {
		n := s.clone()
		n.sends++
		n.flights = append(n.flights, flightState{stage: 's', id: n.jar, since: n.now})
		m.add(n)
	}
	for i, f := range s.flights {
		switch f.stage {
		case 's':
			for node := range m.nodes {
				m.byCopy(s, i, node)
				m.byStore(s, i, node)
			}
		case 'a':
			m.headers(s, i)
		case 'r':
			n := s.clone()
			n.flights = slices.Delete(n.flights, i, i+1)
			m.add(n) // lost
			n = n.clone()
			n.jar = f.carries
			m.add(n) // arrived
		}
	}
	for node := range m.nodes {
		if s.nodes[node].copy != s.entry.Record || s.nodes[node].at != s.now {
			n := s.clone()
			n.nodes[node] = modelNode{n.entry.Record, n.now}
			m.add(n)
		}
	}
	n := s.clone()
	n.now++
	n.flights = slices.DeleteFunc(n.flights, func(f flightState) bool {
		return f.stage == 'r' && n.now-f.since >= 2
	})
	m.add(n)
}

func (m *model) copyUsable(s *modelState, node int, id int8) bool {
	k := s.nodes[node]
	return k.copy != nil && s.now-k.at < m.stale && m.copySays(CachedSession{Record: k.copy}, modelHash(id), modelInstant(s.now))
}

// byCopy is a request that a node decides alone.
func (m *model) byCopy(s *modelState, i, node int) {
	f := s.flights[i]
	if !m.copyUsable(s, node, f.id) {
		return
	}
	n := s.clone()
	n.accepted(f.id)
	n.flights[i] = flightState{
		stage: 'a', id: f.id, since: n.now, node: int8(node),
		rotates: n.nodes[node].copy.due(modelInstant(n.now), modelEvery),
	}
	m.add(n)
}

func modelValidation(id int8) Validation {
	return Validation{Selector: Selector{1}, Hash: modelHash(id), Age: -1, Idle: 24 * time.Hour, Active: false}
}

// byStore is a request that the store decides, and one whose answer does not come back.
func (m *model) byStore(s *modelState, i, node int) {
	f := s.flights[i]
	n := s.clone()
	var reply Reply
	n.entry, reply = m.validate(s.entry, modelInstant(s.now), modelValidation(f.id))
	if reply.Outcome.Good() {
		n.accepted(f.id)
	} else if s.now-f.since < 2 {
		// It was sent with what the jar held then, less than a grace period ago.
		m.broken = fmt.Sprintf("a request of the owner with verifier %d was refused: outcome %d\nin %+v", f.id, reply.Outcome, *s)
		return
	}
	lost := n.clone()
	lost.flights = slices.Delete(lost.flights, i, i+1)
	m.add(lost)
	if !reply.Outcome.Good() {
		if m.deletes {
			lost = lost.clone()
			lost.jar = 0
			m.add(lost)
		}
		return
	}
	n.nodes[node] = modelNode{reply.Record, n.now}
	a := flightState{stage: 'a', id: f.id, since: n.now, node: int8(node)}
	switch {
	case m.reissues(reply.Outcome) && len(reply.Record.Next) > 0:
		a.carries = int8(reply.Record.Next[0])
	case reply.Outcome == Current:
		a.rotates = reply.Record.due(modelInstant(n.now), modelEvery)
	}
	n.flights[i] = a
	m.add(n)
}

// headers is the moment at which a response is written: it may rotate first.
func (m *model) headers(s *modelState, i int) {
	f := s.flights[i]
	respond := func(n *modelState, carries int8) {
		if carries == 0 {
			n.flights = slices.Delete(n.flights, i, i+1)
		} else {
			n.flights[i] = flightState{stage: 'r', since: n.now, carries: carries}
		}
		m.add(n)
	}
	carries := f.carries
	if !m.carries(s.now - f.since) {
		carries = 0
	}
	respond(s.clone(), carries)
	if !f.rotates || s.rotations == modelRotations || int(s.ids)+1 >= len(s.usedAt) {
		return
	}
	n := s.clone()
	n.ids++
	var reply Reply
	n.entry, reply = m.rotate(s.entry, modelInstant(s.now), Rotation{
		Selector: Selector{1}, Old: modelHash(f.id), New: modelHash(n.ids), Next: []byte{byte(n.ids)}, Every: modelEvery,
	})
	n.nodes[f.node] = modelNode{}
	switch reply.Outcome {
	case Rotated:
		n.rotations++
		n.previous[n.ids] = f.id
		respond(n.clone(), 0) // the store's answer is lost
		respond(n, n.ids)
	case Superseded:
		respond(n, m.loser(n.ids, int8(reply.Record.Next[0])))
	default:
		respond(n, 0)
	}
}

// wrong says what must not be in a state.
func (m *model) wrong(s *modelState) string {
	now := modelInstant(s.now)
	validate := func(id int8) Reply {
		_, reply := m.validate(s.entry, now, modelValidation(id))
		return reply
	}
	if reply := validate(s.jar); !reply.Outcome.Good() {
		return fmt.Sprintf("the owner is signed out: the jar holds verifier %d, outcome %d", s.jar, reply.Outcome)
	}
	for id := int8(1); id <= s.ids; id++ {
		reply := validate(id)
		successor := int8(0)
		for next := id + 1; next <= s.ids; next++ {
			if s.previous[next] == id {
				successor = next
			}
		}
		if id != 1 && s.previous[id] == 0 {
			continue // a verifier of a lost rotation, which nobody has seen
		}
		if successor == 0 {
			continue
		}
		used := s.usedAt[successor]
		if used >= 0 && s.now >= used+2 && reply.Outcome.Good() {
			return fmt.Sprintf("verifier %d is good in the store, its successor in use since tick %d", id, used)
		}
		if used >= 0 && m.reissues(reply.Outcome) {
			return fmt.Sprintf("verifier %d brings the successor, which is in use", id)
		}
		if used < 0 && (!m.reissues(reply.Outcome) || len(reply.Record.Next) == 0 || int8(reply.Record.Next[0]) != successor) {
			return fmt.Sprintf("verifier %d does not bring its unused successor: outcome %d", id, reply.Outcome)
		}
		if used >= 0 && s.now >= used+2 && reply.Outcome != Reused {
			return fmt.Sprintf("the reuse of verifier %d is not told: outcome %d", id, reply.Outcome)
		}
		for node := range s.nodes {
			if used >= 0 && s.now >= used+2+modelStale && m.copyUsable(s, node, id) {
				return fmt.Sprintf("verifier %d is good by a copy, its successor in use since tick %d", id, used)
			}
		}
	}
	return m.wrongInOutage(s)
}

// wrongInOutage lets the store go away in this state.
func (m *model) wrongInOutage(s *modelState) string {
	now := modelInstant(s.now)
	for _, k := range s.nodes {
		for id := int8(1); id <= s.ids; id++ {
			if id != 1 && s.previous[id] == 0 {
				continue
			}
			generation := int64(1)
			for p := id; s.previous[p] != 0; p = s.previous[p] {
				generation++
			}
			for _, withTicket := range []bool{true, false} {
				e := evidence{
					now: now, hash: modelHash(id), copy: CachedSession{Record: k.copy}, confirmed: now, last: now,
					rideThrough: time.Hour, idle: time.Hour, ticketAge: time.Minute,
				}
				if withTicket {
					e.ticket = &Ticket{
						Session: Session{Created: 1, Absolute: now.Add(time.Hour), Generation: generation},
						Hash:    e.hash, Last: now, OnlineAt: now,
					}
				}
				good := m.decideOffline(e).session != nil
				current := k.copy != nil && k.copy.Current.Equal(e.hash)
				known := k.copy != nil && k.copy.Generation > generation &&
					(!k.copy.Previous.Equal(e.hash) || k.copy.Used && now >= k.copy.PreviousUntil)
				switch {
				case good && known:
					return fmt.Sprintf("in an outage, verifier %d rides where its retirement is known", id)
				case good && !withTicket && (!current || !k.copy.Used):
					return fmt.Sprintf("in an outage, a copy is good for verifier %d, which is not its current one in use", id)
				case !good && withTicket && !known:
					return fmt.Sprintf("in an outage, verifier %d does not ride on its own ticket", id)
				}
			}
		}
	}
	return ""
}

func TestModel_holds(t *testing.T) {
	for name, size := range map[string]extent{"wide": wide, "apart": apart, "long": long} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := model{rules: realRules(), extent: size}
			if broken := m.explore(); broken != "" {
				t.Fatal(broken)
			}
			t.Logf("%d states", len(m.visited))
			if len(m.visited) < 10_000 {
				t.Fatalf("only %d states: the model does not move", len(m.visited))
			}
		})
	}
}
