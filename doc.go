// Package gatehouse is the root of the Gatehouse module: a Caddy distribution that limits requests
// across all nodes through Redis and keeps its promises when Redis does not.
//
// The edge is in caddymodules; docs/architecture.md draws a request's way through it. This package
// holds no code: xcaddy needs a package at the root of a module that it builds from a local path.
package gatehouse
