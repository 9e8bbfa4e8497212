package redislink

import (
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// beatTTL is how long a beat outlives its node. Beyond it nothing that Redis counts for us matters.
const beatTTL = 25 * time.Hour

// foreignBeats in a row are a second process with our id, and not one that is just going.
const foreignBeats = 5

// heartbeat is a number that this link writes to its own key about once a second. The numbers only grow: they are
// Unix milliseconds, or one more than the last where the clock stood still or went back. A Redis that returns
// with a smaller number than it has acknowledged has lost what came after it. See docs/adr/0003.
//
// It belongs to the supervisor.
type heartbeat struct {
	key     string
	sent    int64 // the newest number sent or met
	acked   int64 // the newest number acknowledged; 0: none, or none that is expected to be there
	foreign int   // numbers in a row that somebody else wrote
}

func newHeartbeat(opts Options, user string) *heartbeat {
	return &heartbeat{key: "gh:{" + opts.Namespace + "}:beat:" + user + ":" + opts.NodeID}
}

func (b *heartbeat) read(build rueidis.Builder) rueidis.Completed {
	return build.Get().Key(b.key).Build()
}

// next chooses the next number.
func (b *heartbeat) next(now time.Time) { b.sent = max(b.sent+1, now.UnixMilli()) }

// write puts the number in place of the old one, and asks for that.
func (b *heartbeat) write(build rueidis.Builder) rueidis.Completed {
	return build.Set().Key(b.key).Value(strconv.FormatInt(b.sent, 10)).Get().PxMilliseconds(beatTTL.Milliseconds()).Build()
}

// arrived takes the number that a returning Redis holds (0: none), and says whether it kept ours.
func (b *heartbeat) arrived(stored int64) (kept bool) {
	kept = stored >= b.acked
	b.acked = stored // what was lost is not expected any more
	b.sent = max(b.sent, stored)
	b.foreign = 0
	return kept
}

// acknowledged takes the number that the last write has replaced (0: none). It says whether keys were lost
// since the write before it, and whether another process writes here too.
func (b *heartbeat) acknowledged(replaced int64, before int64) (lost, shared bool) {
	lost = replaced < b.acked
	if replaced > before {
		b.foreign++
	} else {
		b.foreign = 0
	}
	b.acked = b.sent
	return lost, b.foreign == foreignBeats
}
