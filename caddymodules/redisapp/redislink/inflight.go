package redislink

import "sync/atomic"

// inflight counts the calls of one connection that have no answer yet. An abandoned call keeps its place until Redis is
// known to have answered it, because it keeps its place in the client's ring too. Otherwise a hung Redis would admit
// 4,096 more calls in each op_timeout.
//
// Redis answers the calls of a connection in order. So an answer settles every call that was abandoned before the
// answered call was sent.
type inflight struct {
	open      atomic.Int64 // sent and not answered, as far as is known
	abandoned atomic.Int64 // of all calls ever sent, those that were given up
	settled   atomic.Int64 // of the abandoned, those known to be answered
}

// acquire takes a place, if there is a free one. Pass the returned seq to releaseAnswered.
func (f *inflight) acquire() (seq int64, ok bool) {
	if f.open.Add(1) > maxInFlight {
		f.open.Add(-1)
		return 0, false
	}
	return f.seq(), true
}

// seq is for calls without a place: the pings of the supervisor. They must pass when abandoned calls have taken all
// places, and their answers settle those calls.
func (f *inflight) seq() int64 { return f.abandoned.Load() }

// release gives a place back: the call was answered, or it was never sent.
func (f *inflight) release() { f.open.Add(-1) }

// releaseAnswered gives back the place of an answered call and of the calls that its answer settles.
func (f *inflight) releaseAnswered(seq int64) {
	f.release()
	f.settle(seq)
}

// settle gives back the places of the calls that were abandoned before seq was taken.
func (f *inflight) settle(seq int64) {
	for {
		settled := f.settled.Load()
		if seq <= settled {
			return
		}
		if f.settled.CompareAndSwap(settled, seq) {
			f.open.Add(settled - seq)
			return
		}
	}
}

// abandon leaves the place taken.
func (f *inflight) abandon() { f.abandoned.Add(1) }
