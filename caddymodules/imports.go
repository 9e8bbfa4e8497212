// Package caddymodules registers every Caddy module of Gatehouse by importing it: a build with this
// package is the edge.
//
// `make verify` fails when a package below this folder registers a module and is not imported here.
package caddymodules

import (
	// Calendar limits name time zones; the binary must know them on machines without zoneinfo.
	_ "time/tzdata"

	_ "github.com/gatehouse-proxy/gatehouse/caddymodules/assertidentity"
	_ "github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit"
	_ "github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp"
	_ "github.com/gatehouse-proxy/gatehouse/caddymodules/session"
)
