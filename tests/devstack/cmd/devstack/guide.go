package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// guide says where everything is and what to try.
func (r *run) guide(w io.Writer) {
	fmt.Fprintf(w, "\nGatehouse is up after %s. Ctrl-C stops all of it.\n\n", time.Since(r.begun).Round(100*time.Millisecond))
	for i, node := range r.nodes {
		fmt.Fprintf(w, "  node %d    %s   metrics %s/metrics\n", i+1, r.sites[i], node.AdminURL())
	}
	fmt.Fprintf(w, "  upstream  http://%s   the app behind them\n", r.app)
	fmt.Fprintf(w, "  provider  %s   the identity provider, with users olivia, adam, mia, viktor and nora\n", r.provider)
	switch {
	case r.redis != nil:
		redis := r.redis.redis
		fmt.Fprintf(w, "  redis     %s   pid %d, data kept in %s\n", redis.URL(), redis.Process().Pid(), short(filepath.Dir(redis.LogPath())))
	case r.redisURL != "":
		fmt.Fprintf(w, "  redis     the one of REDIS_URL, which this run leaves alone\n")
	}
	fmt.Fprintf(w, "  logs      %s\n", short(r.state.path("node*", "gatehouse.log")))
	fmt.Fprintf(w, `
Things to try, in another terminal. This machine counts as a load balancer here, so each number below is
another client: "try 1" asks each node for 8 sign-ins as client 203.0.113.1, where 10 in 15 minutes are allowed.

  try() { curl -sk -o /dev/null -w '%%{http_code} ' -H 'Accept: text/html' -H "X-Forwarded-For: 203.0.113.$1" "https://localhost:{%s}/api/login/?n=[1-8]"; echo; }

  0. Sign in
       open %s in a browser (it warns of the certificate), and choose who you are: you are
       signed in at %s too, and stay so while you do the rest. The page shows what the app
       is told: X-Auth-Assertion is signed by the edge. To sign out: /_auth/logout
`, strings.Join(r.ports, ","), r.sites[0], r.sites[len(r.sites)-1])
	if r.redis == nil {
		expect := "each node allows its own 8: without Redis they do not know of each other"
		if r.redisURL != "" {
			expect = "302 ten times, then 429: the second node knows what the first let through"
		}
		fmt.Fprintf(w, "  try 1    %s\n\n", expect)
		return
	}
	pid, me := r.redis.redis.Process().Pid(), self()
	fmt.Fprintf(w, `  1. One limit over both nodes
       try 1                          302 ten times, then 429: the second node knows what the first let through
  2. Redis dies
       %[2]s redis kill        or kill -9 %[1]d
       try 2                          each node allows its share, 5; no error, no waiting
       %[2]s redis start       a few seconds later the limit is exact again
       try 3                          302 ten times, then 429
  3. Redis hangs
       %[2]s redis hang        or kill -STOP its pid, which start has printed
       try 4                          each node allows its share, 5
       %[2]s redis resume      or kill -CONT the same

  Who was counted stays so for 15 minutes, over a restart of all this too: take the next number, up to 254.
  Also: %[2]s redis status, stop, flush (forget all counts). Each can be typed here too, as its last word alone.
`, pid, me)
}

// short is the path as it looks from here, where that is shorter.
func short(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if relative, err := filepath.Rel(here, path); err == nil && len(relative) < len(path) {
		return relative
	}
	return path
}

// ignoreBackgroundReads makes a read from the terminal fail in the background, where it would otherwise stop
// the whole process.
func ignoreBackgroundReads() { signal.Ignore(syscall.SIGTTIN) }
