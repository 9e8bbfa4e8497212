package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// GatewayOptions say which edge runs, and with what.
type GatewayOptions struct {
	// Name stands in errors. Default: gateway.
	Name string
	// Binary is a built gatehouse; see BuildGatehouse.
	Binary string
	// Caddyfile is the configuration itself; CaddyfilePath the file that has it. One of the two.
	Caddyfile     string
	CaddyfilePath string
	// Env is added to the environment, as NAME=value. Of the environment of this process, what steers Caddy or
	// Gatehouse (CADDY_*, GATEHOUSE_*, REDIS_URL, XDG_*) is not passed on: a test does not depend on it.
	Env []string
	// Listen are the addresses, as a client dials them, that the Caddyfile makes the edge listen on. All must be
	// free before the start, and accept before it is over.
	Listen []string
	// Health is a URL that must answer below 500 before the start is over; certificates are not checked.
	Health string
	// Admin is the address of the admin API. Default: a free port. The edge hears of it by CADDY_ADMIN and
	// GATEHOUSE_ADMIN, which a Caddyfile with an admin option of its own must use.
	Admin string
	// Dir holds the edge's data and configuration directories (XDG_DATA_HOME, XDG_CONFIG_HOME) and its log, and
	// stays after Stop: the node's identity is in it, so two gateways never share one. Empty: temporary, removed by Stop.
	Dir string
}

// Gateway is one edge node. Its addresses and directories stay the same over Kill and Restart.
type Gateway struct {
	opts  GatewayOptions
	dir   string
	temp  bool
	admin *Port // nil when the caller chose the address

	mu   sync.Mutex // guards proc
	proc *Process
}

// StartGateway starts an edge node and returns when it answers. An address that is taken is a *PortTakenError,
// found before the start: Caddy would share it silently.
func StartGateway(ctx context.Context, opts GatewayOptions) (*Gateway, error) {
	if opts.Name == "" {
		opts.Name = "gateway"
	}
	g := &Gateway{opts: opts}
	if err := g.layOut(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", opts.Name, err), g.giveBack())
	}
	if err := g.start(ctx); err != nil {
		return nil, errors.Join(err, g.giveBack())
	}
	return g, nil
}

func (g *Gateway) layOut() error {
	dir := g.opts.Dir
	if dir == "" {
		temp, err := os.MkdirTemp("", "gatehouse-node-")
		if err != nil {
			return err
		}
		dir, g.temp = temp, true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	g.dir = dir
	for _, sub := range []string{"data", "config"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if g.opts.CaddyfilePath == "" {
		g.opts.CaddyfilePath = filepath.Join(dir, "Caddyfile")
		if err := os.WriteFile(g.opts.CaddyfilePath, []byte(g.opts.Caddyfile), 0o600); err != nil {
			return err
		}
	}
	if g.opts.Admin == "" {
		if g.admin, err = ReservePort(); err != nil {
			return err
		}
		g.opts.Admin = g.admin.Addr()
	}
	return nil
}

func (g *Gateway) start(ctx context.Context) error {
	for _, addr := range append([]string{g.opts.Admin}, g.opts.Listen...) {
		if err := CheckPortFree(ctx, addr); err != nil {
			return fmt.Errorf("start %s: %w", g.opts.Name, err)
		}
	}
	proc, err := Start(ctx, Spec{
		Name: g.opts.Name, Path: g.opts.Binary,
		Args:  []string{"run", "--adapter", "caddyfile", "--config", g.opts.CaddyfilePath},
		Env:   g.environment(),
		Dir:   g.dir,
		Log:   g.LogPath(),
		Ready: g.ready,
	})
	if err != nil {
		return err
	}
	g.proc = proc
	return nil
}

func (g *Gateway) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return name == "REDIS_URL" || strings.HasPrefix(name, "CADDY_") ||
			strings.HasPrefix(name, "GATEHOUSE_") || strings.HasPrefix(name, "XDG_")
	})
	env = append(env,
		"XDG_DATA_HOME="+filepath.Join(g.dir, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(g.dir, "config"),
		"CADDY_ADMIN="+g.opts.Admin,
		"GATEHOUSE_ADMIN="+g.opts.Admin,
	)
	return append(env, g.opts.Env...)
}

func (g *Gateway) ready(ctx context.Context) error {
	for _, addr := range append([]string{g.opts.Admin}, g.opts.Listen...) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
	if g.opts.Health == "" {
		return nil
	}
	return Answers(ctx, g.opts.Health)
}

// Answers is a ready check: it asks url once and wants a status below 500. The certificate is not checked, for it is
// of a CA that nobody knows yet.
func Answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}

// AdminURL is the root of the admin API, such as http://127.0.0.1:2019.
func (g *Gateway) AdminURL() string { return "http://" + g.opts.Admin }

// Reload gives the running edge another Caddyfile through its admin API, which applies it whole or not at all:
// a refused one is an error with Caddy's words, and the old one goes on.
func (g *Gateway) Reload(ctx context.Context, caddyfile string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.AdminURL()+"/load", strings.NewReader(caddyfile))
	if err != nil {
		return fmt.Errorf("reload %s: %w", g.opts.Name, err)
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	// Reloading the same text is still a reload.
	req.Header.Set("Cache-Control", "must-revalidate")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("reload %s: %w", g.opts.Name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return fmt.Errorf("reload %s: %s: %s", g.opts.Name, resp.Status, strings.TrimSpace(string(reason)))
	}
	return nil
}

// Process is the edge as it runs now, or ran last.
func (g *Gateway) Process() *Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proc
}

// Kill ends the edge as a crash would.
func (g *Gateway) Kill() error { return g.Process().Kill() }

// Pause hangs the edge: it takes connections and answers nothing.
func (g *Gateway) Pause() error { return g.Process().Pause() }

// Resume ends a Pause.
func (g *Gateway) Resume() error { return g.Process().Resume() }

// Restart stops the edge if it runs, and starts it with the Caddyfile that it was first started with.
func (g *Gateway) Restart(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.proc.Stop(stopGrace); err != nil {
		return err
	}
	return g.start(ctx)
}

// Stop ends the edge in order and removes its directory if that was temporary. Requests in flight get 10 s.
func (g *Gateway) Stop() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.proc.Stop(stopGrace), g.giveBack())
}

func (g *Gateway) giveBack() error {
	if g.admin != nil {
		g.admin.Release()
	}
	if !g.temp {
		return nil
	}
	return os.RemoveAll(g.dir)
}

// Log is all that the edge has written since it was first started in its directory: one JSON object a line.
func (g *Gateway) Log() string { return g.Process().Log() }

// LogPath is the file of the log.
func (g *Gateway) LogPath() string { return filepath.Join(g.dir, "gatehouse.log") }

// stopGrace is what a server gets to end in order before it is killed.
const stopGrace = 10 * time.Second
