package redislink

import "sync/atomic"

// flight counts the calls that one connection owes an answer. A call that its caller has given up keeps its
// place until Redis is known to have answered it, since it keeps its place in the client's ring too: otherwise
// a hung Redis would let in 4,096 calls each op_timeout.
//
// Redis answers a connection in the order in which it was asked. So an answer settles every call that was given
// up before the answered one was sent.
type flight struct {
	open      atomic.Int64 // sent and not answered, as far as is known
	abandoned atomic.Int64 // of all calls ever sent, those that were given up
	settled   atomic.Int64 // of the abandoned, those known to be answered
}

// board takes a place, if there is one. The ticket belongs to landAnswered.
func (f *flight) board() (ticket int64, ok bool) {
	if f.open.Add(1) > maxInFlight {
		f.open.Add(-1)
		return 0, false
	}
	return f.ticket(), true
}

// ticket is for what is sent without a place: the supervisor's pings, which must get through when all places
// are taken by abandoned calls, and whose answers then settle them.
func (f *flight) ticket() int64 { return f.abandoned.Load() }

// land gives the place back: the call was answered, or it was never sent.
func (f *flight) land() { f.open.Add(-1) }

// landAnswered gives back the place of an answered call, and of those which its answer settles.
func (f *flight) landAnswered(ticket int64) {
	f.land()
	f.settle(ticket)
}

// settle gives back the places of the calls that were abandoned before the ticket was taken.
func (f *flight) settle(ticket int64) {
	for {
		settled := f.settled.Load()
		if ticket <= settled {
			return
		}
		if f.settled.CompareAndSwap(settled, ticket) {
			f.open.Add(settled - ticket)
			return
		}
	}
}

// abandon leaves the place taken.
func (f *flight) abandon() { f.abandoned.Add(1) }
