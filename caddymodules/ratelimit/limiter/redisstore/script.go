package redisstore

import (
	_ "embed"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

var (
	//go:embed clock.lua
	clockLua string
	//go:embed bucket.lua
	bucketLua string
	//go:embed log.lua
	logLua string
	//go:embed slices.lua
	slicesLua string

	//go:embed take.lua
	takeLua string
	//go:embed take_bucket.lua
	takeBucketLua string
	//go:embed take_log.lua
	takeLogLua string
	//go:embed take_slices.lua
	takeSlicesLua string

	//go:embed refund.lua
	refundLua string
	//go:embed merge.lua
	mergeLua string
)

// The first line has Redis refuse a script as a whole, before it has done anything, where it could not
// write: out of memory, on a replica, without enough replicas. A refund only makes a state smaller.
const (
	writes  = "#!lua\n"
	shrinks = "#!lua flags=allow-oom\n"
)

var (
	takeScripts  = composeTakes()
	refundScript = redislink.NewScript(shrinks + clockLua + bucketLua + logLua + slicesLua + refundLua)
	mergeScript  = redislink.NewScript(writes + clockLua + bucketLua + logLua + slicesLua + mergeLua)
)

// parts are those of a take script, and the letter by which claims name them, in the order of the
// limiter's algorithms.
var parts = []struct {
	letter        string
	state, decide string
	function      string
}{
	{"g", bucketLua, takeBucketLua, "decide_bucket"},
	{"l", logLua, takeLogLua, "decide_log"},
	{"s", slicesLua, takeSlicesLua, "decide_slices"},
}

// composeTakes makes a take script for each set of algorithms, as bits in the order of parts. A script
// runs from its first line at every call, so what a call does not need costs it time: most are of one
// algorithm. The first of them, of no algorithm, is never used.
func composeTakes() (scripts [8]*redislink.Script) {
	for set := range scripts {
		var source, decide strings.Builder
		source.WriteString(writes + clockLua)
		for i, p := range parts {
			if set&(1<<i) != 0 {
				source.WriteString(p.state + p.decide)
				decide.WriteString(p.letter + " = " + p.function + ", ")
			}
		}
		source.WriteString("local decide = {" + decide.String() + "}\n" + takeLua)
		scripts[set] = redislink.NewScript(source.String())
	}
	return scripts
}

// takeScript is the one for the algorithms of the claims.
func takeScript(claims []limiter.Claim) *redislink.Script {
	set := 0
	for i := range claims {
		set |= 1 << (claims[i].Policy.Algorithm - limiter.GCRA)
	}
	return takeScripts[set]
}
