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

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// guide says where everything is and what to try.
func (r *run) guide(w io.Writer) {
	fmt.Fprintf(w, "\nGatehouse is up after %s. Ctrl-C stops all of it.\n\n", time.Since(r.begun).Round(100*time.Millisecond))
	for i, node := range r.nodes {
		fmt.Fprintf(w, "  node %d    %s   metrics %s/metrics\n", i+1, r.sites[i], node.AdminURL())
	}
	if r.withoutBackend {
		fmt.Fprintf(w, "  upstream  http://%s   stands in for the app behind them\n", r.app)
	} else {
		fmt.Fprintf(w, "  backend   http://%s   the app behind them, which believes them alone\n", r.app)
		r.guideDatabase(w)
	}
	fmt.Fprintf(w, "  provider  %s   the identity provider, where everybody signs in without a password\n", r.provider)
	switch {
	case r.redis != nil:
		redis := r.redis.redis
		fmt.Fprintf(w, "  redis     %s   pid %d, data kept in %s\n", redis.URL(), redis.Process().Pid(), short(filepath.Dir(redis.LogPath())))
	case r.redisURL != "":
		fmt.Fprintf(w, "  redis     the one of REDIS_URL, which this run leaves alone\n")
	}
	fmt.Fprintf(w, "  logs      %s\n", short(r.state.path("node*", "gatehouse.log")))
	if !r.withoutBackend {
		fmt.Fprintf(w, "            %s\n", short(r.state.path("backend.log")))
		fmt.Fprint(w, `
  adam is an admin, mia a member and viktor a viewer of one organization. olivia owns it and another, and chooses
  between them. nora has no account.
`)
	}
	fmt.Fprint(w, "\nThings to try\n\n")
	r.guideSignIn(w)
	r.guideLimits(w)
}

func (r *run) guideDatabase(w io.Writer) {
	pg := r.database.postgres
	if pg == nil {
		fmt.Fprintf(w, "  postgres  the one of DATABASE_URL\n")
		return
	}
	fmt.Fprintf(w, "  postgres  %s   pid %d, data kept in %s\n", pg.DSN(stack.OwnerLogin, ownDatabase), pg.Process().Pid(), short(filepath.Dir(pg.LogPath())))
}

func (r *run) guideSignIn(w io.Writer) {
	if r.withoutBackend {
		fmt.Fprintf(w, `  1. Sign in
       open %s in a browser (it warns of the certificate), and choose who you are: you are
       signed in at %s too, and stay so while you do the rest. The page shows what the app
       is told: X-Auth-Assertion is signed by the edge. To sign out: /_auth/logout
`, r.sites[0], r.sites[len(r.sites)-1])
		return
	}
	fmt.Fprintf(w, `  1. Sign in, and undo a deletion
       open %s in a browser (it warns of the certificate) and choose adam. Under Clients, delete
       one with all that belongs to it, and press Undo; later the Trash does the same. You are signed in at
       %s too. To be somebody else: /_auth/logout
`, r.sites[0], r.sites[len(r.sites)-1])
}

// guideLimits is for another terminal than the run's.
func (r *run) guideLimits(w io.Writer) {
	expect := "302 ten times, then 429: the second node knows what the first let through"
	if r.redis == nil && r.redisURL == "" {
		expect = "each node allows its own 8: without Redis they do not know of each other"
	}
	fmt.Fprintf(w, `  2. One limit over both nodes. This machine counts as a load balancer here, so each number below is another
     client: "try 1" asks each node for 8 sign-ins as client 203.0.113.1, where 10 in 15 minutes are allowed

       try() { curl -sk -o /dev/null -w '%%{http_code} ' -H 'Accept: text/html' -H "X-Forwarded-For: 203.0.113.$1" "https://localhost:{%s}/api/login/?n=[1-8]"; echo; }

       try 1                          %s
`, strings.Join(r.ports, ","), expect)
	if r.redis == nil {
		fmt.Fprintln(w)
		return
	}
	fmt.Fprintf(w, `  3. Redis dies, and limits and sign-in hold
       %[2]s redis kill        or kill -9 %[1]d
       try 2                          each node allows its share, 5; no error, no waiting
       reload the page                you are still signed in, on both nodes
       %[2]s redis start       a few seconds later the limit is exact again
       try 3                          302 ten times, then 429
     The same with a Redis that hangs: %[2]s redis hang, and resume

  Who was counted stays so for 15 minutes, over a restart of all this too: take the next number, up to 254.
  Also: %[2]s redis status, stop, flush (forget all counts). Each can be typed here too, as its last word alone.
`, r.redis.redis.Process().Pid(), self())
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
