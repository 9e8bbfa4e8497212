package redislink

import "slices"

// tallySize is how many acknowledged heartbeats the tally remembers: a minute of them. Heartbeats that were not
// acknowledged are not among them, so an outage freezes the count.
const tallySize = 60

// tally remembers how many nodes there were. Their number is the largest of the last minute: breakers open at
// different moments and heartbeats age out, and a node that believes itself among fewer than there are lets too
// much through. Nodes that left in order are taken off at once.
type nodeHistory struct {
	seen []sample // the newest last
}

// sample is one heartbeat's answer.
type sample struct {
	live   int
	leaves int64 // how many nodes had left in order, ever
}

func (t *nodeHistory) add(s sample) {
	if len(t.seen) == tallySize {
		t.seen = slices.Delete(t.seen, 0, 1)
	}
	t.seen = append(t.seen, s)
}

// remembered takes a sighting from before this process; those that it made itself are newer.
func (t *nodeHistory) remembered(s sample) {
	if len(t.seen) < tallySize {
		t.seen = slices.Insert(t.seen, 0, s)
	}
}

// nodes is at least 1: the node that asks.
func (t *nodeHistory) nodes() int {
	most := 1
	for _, s := range t.seen {
		left := t.seen[len(t.seen)-1].leaves - s.leaves
		most = max(most, s.live-int(max(0, left))) // fewer leaves than before: Redis has lost the counter
	}
	return most
}
