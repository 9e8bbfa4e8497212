package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// options are those of `stack run`.
type options struct {
	withoutRedis   bool
	withoutBackend bool
	ports          []string
	providerPort   string
	caddyfile      string
	state          string
}

func runCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	var o options
	flags.BoolVar(&o.withoutRedis, "without-redis", false, "let each node limit for itself")
	flags.BoolVar(&o.withoutBackend, "without-backend", false, "try the edge alone: a small upstream that shows what it is sent, and no PostgreSQL")
	ports := flags.String("ports", "8443,8444", "one edge node for each, at https://localhost:<port>")
	flags.StringVar(&o.providerPort, "provider-port", "8442", "where the identity provider listens")
	flags.StringVar(&o.caddyfile, "caddyfile", "", "what the nodes run with (default: the Caddyfile of the checkout)")
	flags.StringVar(&o.state, "state", "", "what is kept between runs (default: "+stack.StateDir+" in the checkout)")
	if err := parse(flags, args); err != nil {
		return err
	}
	o.ports = strings.Split(*ports, ",")
	for _, port := range append(slices.Clip(o.ports), o.providerPort) {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("--ports, --provider-port: %q is not a port", port)
		}
	}
	r := &run{options: o, begun: time.Now(), restarted: make(chan *stack.Process, 1)}
	defer r.stopAll()
	if err := r.start(ctx); err != nil {
		return err
	}
	var guide bytes.Buffer // printed at once: a node's death must not come in between
	r.guide(&guide)
	fmt.Print(guide.String())
	return r.watch(ctx)
}

// run is one `stack run`, from its first step to its last.
type run struct {
	options
	begun    time.Time
	state    *state
	note     note
	redisURL string // empty: none
	redis    *redisControl
	database database
	upstream *stack.Process // what is behind the edge: the backend, or the small upstream
	app      string         // its address
	provider string         // the identity provider's issuer
	signIn   []string
	nodes    []*stack.Gateway
	sites    []string

	restarted chan *stack.Process
	stops     []func() // in the order of the starts
}

// start brings everything up, each when what it needs is there. On an error the caller stops what stands.
func (r *run) start(ctx context.Context) error {
	dir, err := stateDir(r.options.state)
	if err != nil {
		return err
	}
	if r.state, err = openState(dir); err != nil {
		return err
	}
	r.stops = append(r.stops, r.state.close)
	r.note.PID = os.Getpid()
	if err := r.state.write(r.note); err != nil {
		return err
	}
	// Before the build, which may take minutes: a taken port is the likeliest reason to fail.
	for _, port := range r.ports {
		if err := stack.CheckPortFree(ctx, ":"+port); err != nil {
			return fmt.Errorf("https://localhost:%s: %w", port, err)
		}
	}
	withRedis, err := r.redisWanted(ctx)
	if err != nil {
		return err
	}
	if err := r.findDatabase(ctx); err != nil {
		return err
	}
	edge, app, err := r.build(ctx)
	if err != nil {
		return err
	}
	if withRedis {
		if err := r.startRedis(ctx); err != nil {
			return err
		}
	}
	if err := r.startProvider(ctx); err != nil {
		return err
	}
	if err := r.startApp(ctx, app); err != nil {
		return err
	}
	if err := r.startNodes(ctx, edge); err != nil || r.withoutBackend {
		return err
	}
	return r.keepKeySet(ctx)
}

// startApp starts what is behind the edge.
func (r *run) startApp(ctx context.Context, binary string) error {
	if r.withoutBackend {
		return r.startUpstream(ctx, binary)
	}
	if err := r.prepareDatabase(ctx, binary); err != nil {
		return err
	}
	return r.startBackend(ctx, binary)
}

// watch waits for Ctrl-C. Redis may die, that is what it is there for; anything else that dies ends the run.
func (r *run) watch(ctx context.Context) error {
	died := make(chan *stack.Process)
	follow := func(p *stack.Process) {
		go func() {
			select {
			case <-p.Done():
				select {
				case died <- p:
				case <-ctx.Done():
				}
			case <-ctx.Done():
			}
		}()
	}
	follow(r.upstream)
	if pg := r.database.postgres; pg != nil {
		follow(pg.Process())
	}
	for _, node := range r.nodes {
		follow(node.Process())
	}
	if r.redis != nil {
		follow(r.redis.redis.Process())
		go r.readCommands(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			fmt.Println("\nstopping")
			return ctx.Err()
		case p := <-r.restarted:
			follow(p)
			if err := r.noteStarted("redis", p); err != nil {
				return err
			}
		case p := <-died:
			if p.Name() == "redis" {
				fmt.Printf("%v: each node limits by its share. To bring it back type start, or %s redis start\n", p.Err(), self())
				continue
			}
			return fmt.Errorf("%w; its last words:\n%s", p.Err(), p.Tail(lastWords))
		}
	}
}

const lastWords = 20

// readCommands takes Redis commands that are typed where the run goes on, until there is no more input. A run
// in the background must not be stopped by the terminal for trying to read from it.
func (r *run) readCommands(ctx context.Context) {
	ignoreBackgroundReads()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		command := strings.TrimSpace(lines.Text())
		if command == "" {
			continue
		}
		if reply, err := r.redis.do(ctx, command); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println(reply)
		}
	}
}

// stopAll takes down what stands, the last started first, with the signal handler still in place.
func (r *run) stopAll() {
	for _, stop := range slices.Backward(r.stops) {
		stop()
	}
}

func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
	}
}

// self is how this program was called, for commands to copy.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // of go run: gone when it ends
		return "go run ./dev/stack/cmd/stack"
	}
	return os.Args[0]
}
