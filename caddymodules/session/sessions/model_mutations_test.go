package sessions

import (
	"strings"
	"testing"
)

// TestModel_everyRuleIsNeeded takes one rule out at a time; the model must find what goes wrong then.
func TestModel_everyRuleIsNeeded(t *testing.T) {
	for _, c := range []struct {
		rule string
		take func(*rules)
		// want is part of what must go wrong.
		want string
		size extent
	}{
		{"a copy is no word on an unused verifier", func(r *rules) {
			r.copySays = func(c CachedSession, h Hash, _ Instant) bool { return c.Record.Current.Equal(h) }
		}, "in use", extent{}},
		{"a copy is no word on a previous verifier", func(r *rules) {
			r.copySays = func(c CachedSession, h Hash, now Instant) bool {
				return copySays(c, h, now) || c.Record.Previous.Equal(h)
			}
		}, "is good by a copy", apart},
		{"a copy is good for F at most", func(r *rules) { r.stale = 100 }, "is good by a copy", apart},
		{"first use leaves the predecessor a grace", func(r *rules) {
			r.validate = func(e Entry, now Instant, v Validation) (Entry, Reply) {
				e, reply := e.Validate(now, v)
				if reply.Outcome == FirstUse && e.Record.Previous != (Hash{}) {
					n := e.Record.clone()
					n.PreviousUntil = now
					e.Record = n.retire(now)
					reply.Record = e.Record
				}
				return e, reply
			}
		}, "of the owner", extent{}},
		{"the grace ends", func(r *rules) {
			r.validate = func(e Entry, now Instant, v Validation) (Entry, Reply) {
				if e.Record.Previous.Equal(v.Hash) && e.Record.Used {
					return e, Reply{Now: now, Outcome: Grace, Record: e.Record}
				}
				return e.Validate(now, v)
			}
		}, "is good in the store", extent{}},
		{"an unused successor leaves the predecessor good without limit", func(r *rules) {
			r.validate = func(e Entry, now Instant, v Validation) (Entry, Reply) {
				e, reply := e.Validate(now, v)
				if reply.Outcome == Superseded && now >= e.Record.Rotated.Add(GracePeriod) {
					reply.Outcome = Reused
				}
				return e, reply
			}
		}, "signed out", extent{}},
		{"an unused successor is handed out", func(r *rules) {
			r.reissues = func(Outcome) bool { return false }
		}, "does not bring", extent{}},
		{"a used successor is not handed out", func(r *rules) {
			r.reissues = func(o Outcome) bool { return o == Superseded || o == Grace }
		}, "brings the successor", extent{}},
		{"retired verifiers are remembered", func(r *rules) {
			r.validate = func(e Entry, now Instant, v Validation) (Entry, Reply) {
				e, reply := e.Validate(now, v)
				if reply.Outcome == Reused {
					reply.Outcome = Unknown
				}
				return e, reply
			}
		}, "is not told", extent{}},
		{"one predecessor at a time", func(r *rules) {
			r.rotate = func(e Entry, now Instant, q Rotation) (Entry, Reply) {
				if rec := e.Record; rec.Current.Equal(q.Old) && rec.Used && rec.Previous != (Hash{}) && now.Sub(rec.Rotated) >= q.Every {
					n := rec.clone()
					n.Previous, n.PreviousUntil, n.Next = Hash{}, 0, nil
					e.Record = n
				}
				return e.Rotate(now, q)
			}
		}, "verifier 1", extent{}},
		{"only the current verifier rotates", func(r *rules) {
			r.rotate = func(e Entry, now Instant, q Rotation) (Entry, Reply) {
				if e.Record.Used {
					return e.Rotate(now, q)
				}
				n := e.Record.clone()
				n.Current, n.Next = q.New, q.Next
				n.Generation++
				e.Record = n
				return e, Reply{Now: now, Outcome: Rotated, Record: n}
			}
		}, "verifier", extent{}},
		{"who loses a rotation hands out the winner's", func(r *rules) {
			r.loser = func(seenHere, _ int8) int8 { return seenHere }
		}, "signed out", extent{}},
		{"a refusal deletes no cookie", func(r *rules) { r.deletes = true }, "signed out", extent{}},
		{"what was decided long ago is not sent", func(r *rules) {
			r.carries = func(int8) bool { return true }
		}, "signed out", extent{}},
		{"in an outage a copy is no word on an unused verifier", func(r *rules) {
			r.decideOffline = func(e evidence) offlineDecision {
				if c := e.copy.Record; c != nil && c.Current.Equal(e.hash) {
					return offlineDecision{session: &c.Session}
				}
				return e.decideOffline()
			}
		}, "not its current one in use", extent{}},
		{"in an outage a ticket is no word against a node that knows better", func(r *rules) {
			r.decideOffline = func(e evidence) offlineDecision {
				if e.ticket != nil {
					e.copy.Record = nil
				}
				return e.decideOffline()
			}
		}, "retirement is known", extent{}},
		{"in an outage a known but unused successor does not hold the ticket back", func(r *rules) {
			r.decideOffline = func(e evidence) offlineDecision {
				if c := e.copy.Record; c != nil && e.ticket != nil && c.Generation > e.ticket.Generation {
					return offlineDecision{}
				}
				return e.decideOffline()
			}
		}, "does not ride", extent{}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			m := model{rules: realRules(), extent: long}
			if c.size != (extent{}) {
				m.extent = c.size
			}
			c.take(&m.rules)
			broken := m.explore()
			if broken == "" {
				t.Fatalf("nothing goes wrong without this rule, in %d states", len(m.visited))
			}
			if !strings.Contains(broken, c.want) {
				t.Fatalf("got %s\nwant something with %q", broken, c.want)
			}
			first, _, _ := strings.Cut(broken, "\n")
			t.Logf("after %d states: %s", len(m.visited), first)
		})
	}
}
