package redisstore

import (
	_ "embed"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

var (
	//go:embed state.lua
	stateLua string
	//go:embed take.lua
	takeLua string
	//go:embed refund.lua
	refundLua string
	//go:embed merge.lua
	mergeLua string
)

// The first line has Redis refuse a script as a whole, before it has done anything, where it could not
// write: out of memory, on a replica, without enough replicas. A refund only makes a state smaller.
var (
	takeScript   = redislink.NewScript("#!lua\n" + stateLua + takeLua)
	refundScript = redislink.NewScript("#!lua flags=allow-oom\n" + stateLua + refundLua)
	mergeScript  = redislink.NewScript("#!lua\n" + stateLua + mergeLua)
)
