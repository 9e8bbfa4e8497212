// Command gatehouse is Caddy with the Gatehouse modules: the build that is shipped and tested.
//
// Builds with more plugins are made from xcaddy.toml by caddymodules/cmd/build.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-proxy/gatehouse/caddymodules"
)

func main() {
	collectLess()
	caddycmd.Main()
}
