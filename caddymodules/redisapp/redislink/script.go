package redislink

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1; nothing is protected by it.
	"encoding/hex"

	"github.com/redis/rueidis"
)

// Script is a Lua script and the name that Redis gives it.
type Script struct {
	source, sha string
}

// NewScript computes the name of the script once.
func NewScript(source string) *Script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // As above.
	return &Script{source: source, sha: hex.EncodeToString(sum[:])}
}

// rightsScript shows whether scripts may run and read the clock, as all of ours do. Its key gives it a slot.
var rightsScript = NewScript("return redis.call('TIME')[1]")

// Call is one run of a script. In Cluster all its keys must be of one slot.
type Call struct {
	Script     *Script
	Keys, Args []string
}

func (c *Call) bySHA(b rueidis.Builder) rueidis.Completed {
	return b.Evalsha().Sha1(c.Script.sha).Numkeys(int64(len(c.Keys))).Key(c.Keys...).Arg(c.Args...).Build()
}

func (c *Call) bySource(b rueidis.Builder) rueidis.Completed {
	return b.Eval().Script(c.Script.source).Numkeys(int64(len(c.Keys))).Key(c.Keys...).Arg(c.Args...).Build()
}
