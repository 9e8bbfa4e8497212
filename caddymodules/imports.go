// Package caddymodules registers every Caddy module of Gatehouse by importing it: a build with this
// package is the edge.
//
// `make verify` fails when a package below this folder registers a module and is not imported here.
package caddymodules

// Calendar limits name time zones; the binary must know them on machines without zoneinfo.
import _ "time/tzdata"
