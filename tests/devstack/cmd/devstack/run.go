package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-proxy/gatehouse/tests/devstack"
)

// options are those of `devstack run`.
type options struct {
	withoutRedis bool
	ports        []string
	caddyfile    string
	state        string
}

func runCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	var o options
	flags.BoolVar(&o.withoutRedis, "without-redis", false, "let each node limit for itself")
	ports := flags.String("ports", "8443,8444", "one edge node for each, at https://localhost:<port>")
	flags.StringVar(&o.caddyfile, "caddyfile", "", "what the nodes run with (default: the Caddyfile of the checkout)")
	flags.StringVar(&o.state, "state", "", "what is kept between runs (default: "+devstack.StateDir+" in the checkout)")
	if err := parse(flags, args); err != nil {
		return err
	}
	o.ports = strings.Split(*ports, ",")
	for _, port := range o.ports {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("--ports: %q is not a port", port)
		}
	}
	r := &run{options: o, begun: time.Now(), restarted: make(chan *devstack.Process, 1)}
	defer r.stopAll()
	if err := r.start(ctx); err != nil {
		return err
	}
	var guide bytes.Buffer // printed at once: a node's death must not come in between
	r.guide(&guide)
	fmt.Print(guide.String())
	return r.watch(ctx)
}

// run is one `devstack run`, from its first step to its last.
type run struct {
	options
	begun    time.Time
	state    *state
	note     note
	redisURL string // empty: none
	redis    *redisControl
	upstream *devstack.Process
	app      string // the upstream's address
	nodes    []*devstack.Gateway
	sites    []string

	restarted chan *devstack.Process
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
		if err := devstack.CheckPortFree(ctx, ":"+port); err != nil {
			return fmt.Errorf("https://localhost:%s: %w", port, err)
		}
	}
	withRedis, err := r.redisWanted(ctx)
	if err != nil {
		return err
	}
	edge, upstream, err := r.build(ctx)
	if err != nil {
		return err
	}
	if withRedis {
		if err := r.startRedis(ctx); err != nil {
			return err
		}
	}
	if err := r.startUpstream(ctx, upstream); err != nil {
		return err
	}
	return r.startNodes(ctx, edge)
}

// redisWanted tells whether to start a Redis, after installing it where that can be done unasked. Where a line
// typed by hand would do, it stops the run with that line; where nothing would, the edge runs alone.
func (r *run) redisWanted(ctx context.Context) (bool, error) {
	if r.withoutRedis {
		r.warnAlone("as asked")
		return false, nil
	}
	if r.redisURL = os.Getenv("REDIS_URL"); r.redisURL != "" {
		return false, nil
	}
	err := devstack.Ensure(ctx, os.Stdout, devstack.NeedRedis)
	var missing *devstack.MissingError
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.As(err, &missing) && missing.Line != "" && !errors.Is(err, devstack.ErrInstall):
		return false, fmt.Errorf("%w; or run without it: %s run --without-redis", err, self())
	}
	r.warnAlone(err.Error())
	return false, nil
}

func (r *run) warnAlone(why string) {
	fmt.Printf(`
WARNING: the edge runs without Redis (%s). What is lost:
  - a limit holds on each node by itself, not over both: two nodes let twice as much through
  - a node that restarts has forgotten what it counted
  - nothing can be seen of a Redis that dies and returns

`, why)
}

func (r *run) build(ctx context.Context) (edge, upstream string, err error) {
	fmt.Println("building the edge (minutes the first time, seconds later)")
	if edge, err = devstack.EdgeBinary(ctx, false); err != nil {
		return "", "", err
	}
	upstream, err = devstack.UpstreamBinary(ctx)
	return edge, upstream, err
}

func (r *run) startRedis(ctx context.Context) error {
	dir, err := devstack.DataDir(r.state.path("redis"))
	if err != nil {
		return err
	}
	removeLog(filepath.Join(dir, "redis.log"))
	redis, err := devstack.StartRedis(ctx, devstack.RedisOptions{Dir: dir, AppendOnly: true})
	if err != nil {
		return permissionCure(err, dir)
	}
	r.redisURL = redis.URL()
	r.redis = &redisControl{redis: redis, restarted: r.restarted}
	r.stops = append(r.stops, func() { report(redis.Stop()) })

	control, stop, err := serveControl(ctx, r.redis.do)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	r.stops = append(r.stops, stop)
	r.note.Control = control
	return r.noteStarted("redis", redis.Process())
}

func (r *run) startUpstream(ctx context.Context, binary string) error {
	port, err := devstack.ReservePort()
	if err != nil {
		return err
	}
	r.stops = append(r.stops, port.Release)
	r.app = port.Addr()
	log := r.state.path("upstream.log")
	removeLog(log)
	r.upstream, err = devstack.Start(ctx, devstack.Spec{
		Name: "upstream", Path: binary, Args: []string{"--addr", r.app}, Log: log,
		Ready: func(ctx context.Context) error { return devstack.Answers(ctx, "http://"+r.app+"/health") },
	})
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func() { report(r.upstream.Stop(redisStopGrace)) })
	return r.noteStarted("upstream", r.upstream)
}

// startNodes starts one node after the other: the first makes the certificates that they share.
func (r *run) startNodes(ctx context.Context, edge string) error {
	caddyfile := r.caddyfile
	if caddyfile == "" {
		root, err := devstack.ModuleRoot()
		if err != nil {
			return err
		}
		caddyfile = filepath.Join(root, "Caddyfile")
	}
	caddyfile, err := filepath.Abs(caddyfile)
	if err != nil {
		return err
	}
	if _, err := os.Stat(caddyfile); err != nil {
		return err
	}
	for i, port := range r.ports {
		name := fmt.Sprintf("node %d", i+1)
		admin, err := r.adminAddr(ctx, 2019+i)
		if err != nil {
			return err
		}
		site := "https://localhost:" + port
		dir := r.state.path(fmt.Sprintf("node%d", i+1))
		removeLog(filepath.Join(dir, "gatehouse.log"))
		node, err := devstack.StartGateway(ctx, devstack.GatewayOptions{
			Name: name, Binary: edge, CaddyfilePath: caddyfile, Dir: dir, Admin: admin,
			Env: []string{
				"GATEHOUSE_SITE=" + site,
				"GATEHOUSE_UPSTREAM=" + r.app,
				// A whole line of the Caddyfile. One storage is one local CA: a browser that trusts it trusts all nodes.
				"GATEHOUSE_STORAGE=storage file_system " + strconv.Quote(r.state.path("storage")),
				// This machine may play a load balancer, and so any number of clients, by X-Forwarded-For.
				"GATEHOUSE_TRUSTED_PROXIES=127.0.0.1 ::1",
				"REDIS_URL=" + r.redisURL,
			},
			Listen: []string{"localhost:" + port},
			Health: site + "/health",
		})
		if err != nil {
			return err
		}
		r.nodes, r.sites = append(r.nodes, node), append(r.sites, site)
		r.stops = append(r.stops, func() { report(node.Stop()) })
		if err := r.noteStarted(name, node.Process()); err != nil {
			return err
		}
	}
	return nil
}

// adminAddr is Caddy's usual port and the next ones, where its own commands look; any other where a Caddy of
// the developer's has them.
func (r *run) adminAddr(ctx context.Context, usual int) (string, error) {
	addr := net.JoinHostPort("localhost", strconv.Itoa(usual))
	if devstack.CheckPortFree(ctx, addr) == nil {
		return addr, nil
	}
	port, err := devstack.ReservePort()
	if err != nil {
		return "", err
	}
	r.stops = append(r.stops, port.Release)
	return port.Addr(), nil
}

func (r *run) noteStarted(name string, p *devstack.Process) error {
	r.note.Started = append(r.note.Started, started{Name: name, Program: p.Program(), PID: p.Pid()})
	return r.state.write(r.note)
}

// watch waits for Ctrl-C. Redis may die, that is what it is there for; anything else that dies ends the run.
func (r *run) watch(ctx context.Context) error {
	died := make(chan *devstack.Process)
	follow := func(p *devstack.Process) {
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
		fmt.Fprintln(os.Stderr, "devstack:", err)
	}
}

// removeLog lets a log begin with the run. One that is not there or not ours is left.
func removeLog(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, syscall.ENOENT) {
		report(err)
	}
}

// self is how this program was called, for commands to copy.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // of go run: gone when it ends
		return "go run ./tests/devstack/cmd/devstack"
	}
	return os.Args[0]
}
