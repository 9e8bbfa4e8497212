package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// redisWanted tells whether to start a Redis, after installing it where that can be done unasked. Where a line
// typed by hand would do, it stops the run with that line; where nothing would, the edge runs alone.
func (r *run) redisWanted(ctx context.Context) (bool, error) {
	if r.withoutRedis {
		warnAlone()
		return false, nil
	}
	if r.redisURL = os.Getenv("REDIS_URL"); r.redisURL != "" {
		return false, nil
	}
	err := stack.Ensure(ctx, os.Stdout, stack.NeedRedis)
	var missing *stack.MissingError
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.As(err, &missing) && missing.Line != "" && !errors.Is(err, stack.ErrInstall):
		return false, fmt.Errorf("%w; or run without it: %s run --without-redis", err, self())
	}
	fmt.Println(err)
	warnAlone()
	return false, nil
}

func warnAlone() {
	fmt.Print(`
WARNING: the edge runs without Redis. What is lost:
  - a limit holds on each node by itself, not over both: two nodes let twice as much through
  - a node that restarts has forgotten what it counted
  - nothing can be seen of a Redis that dies and returns

`)
}

func (r *run) build(ctx context.Context) (edge, app string, err error) {
	what := "the edge and the backend"
	if r.withoutBackend {
		what = "the edge"
	}
	fmt.Printf("building %s (minutes the first time, seconds later)\n", what)
	if edge, err = stack.EdgeBinary(ctx, false); err != nil {
		return "", "", err
	}
	if r.withoutBackend {
		app, err = stack.UpstreamBinary(ctx)
	} else {
		app, err = stack.BackendBinary(ctx, false)
	}
	return edge, app, err
}

func (r *run) startRedis(ctx context.Context) error {
	dir, err := stack.DataDir(r.state.path("redis"))
	if err != nil {
		return err
	}
	removeLog(filepath.Join(dir, "redis.log"))
	redis, err := stack.StartRedis(ctx, stack.RedisOptions{Dir: dir, AppendOnly: true})
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
	port, err := stack.ReservePort()
	if err != nil {
		return err
	}
	r.stops = append(r.stops, port.Release)
	r.app = port.Addr()
	log := r.state.path("upstream.log")
	removeLog(log)
	r.upstream, err = stack.Start(ctx, stack.Spec{
		Name: "upstream", Path: binary, Args: []string{"--addr", r.app}, Log: log,
		Ready: func(ctx context.Context) error { return stack.Answers(ctx, "http://"+r.app+"/health") },
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
		root, err := stack.ModuleRoot()
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
		node, err := stack.StartGateway(ctx, stack.GatewayOptions{
			Name: name, Binary: edge, CaddyfilePath: caddyfile, Dir: dir, Admin: admin,
			Env: append([]string{
				"GATEHOUSE_SITE=" + site,
				"GATEHOUSE_UPSTREAM=" + r.app,
				// A whole line of the Caddyfile. One storage is one local CA: a browser that trusts it trusts all nodes.
				"GATEHOUSE_STORAGE=storage file_system " + strconv.Quote(r.state.path("storage")),
				// This machine may play a load balancer, and so any number of clients, by X-Forwarded-For.
				"GATEHOUSE_TRUSTED_PROXIES=127.0.0.1 ::1",
				"REDIS_URL=" + r.redisURL,
			}, r.signIn...),
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
	if stack.CheckPortFree(ctx, addr) == nil {
		return addr, nil
	}
	port, err := stack.ReservePort()
	if err != nil {
		return "", err
	}
	r.stops = append(r.stops, port.Release)
	return port.Addr(), nil
}

func (r *run) noteStarted(name string, p *stack.Process) error {
	r.note.Started = append(r.note.Started, started{Name: name, Program: p.Program(), PID: p.Pid()})
	return r.state.write(r.note)
}

// removeLog lets a log begin with the run. One that is not there or not ours is left.
func removeLog(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, syscall.ENOENT) {
		report(err)
	}
}
