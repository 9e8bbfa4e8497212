package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much the heap may grow, in percent of what is live, before garbage is collected. An edge keeps
// little and throws much away with each request, so that Go's own 100 has it collect all the time to save a few tens
// of megabytes. See docs/adr/0012-collect-garbage-less-often.md.
const gcPercent = 400

// collectLess lets the heap grow further between two collections than Go would by itself, unless whoever runs the edge
// has an opinion.
//
// That cannot use up the memory: Caddy sets the runtime's limit to 90 % of what the control group or the machine
// has, and near it garbage is collected as often as it takes. Where that limit is switched off, by AUTOMEMLIMIT, Go's
// own setting stays.
func collectLess() {
	for _, opinion := range []string{
		os.Getenv("GOGC"), os.Getenv("GOMEMLIMIT"), os.Getenv("AUTOMEMLIMIT"),
	} {
		if opinion != "" {
			return
		}
	}
	debug.SetGCPercent(gcPercent)
}
