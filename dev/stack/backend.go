package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// BackendOptions say which backend serves, and what.
type BackendOptions struct {
	// Name stands in errors. Default: backend.
	Name string
	// Binary is a built backend; see BuildBackend.
	Binary string
	// DatabaseURL is the DSN of a login that serves, such as Database.DSN(AppLogin).
	DatabaseURL string
	// KeySet is where the edge's public keys are: a URL, or the path of a file.
	KeySet string
	// Issuer and Audience are those of the edge's assert_identity. Default: gatehouse and app.
	Issuer, Audience string
	// CursorKey signs the cursors of lists, in base64. Default: one that all backends of this process share.
	CursorKey string
	// LogLevel is debug, info, warn or error. Empty: the backend's own default.
	LogLevel string
	// Env is added to the environment, as NAME=value. Of the environment of this process, what steers the backend or
	// PostgreSQL's clients (BACKEND_*, DATABASE_*, IDENTITY_*, GATEHOUSE_*, PG*) is not passed on.
	Env []string
	// Dir holds the log, and stays after Stop. Empty: temporary, removed by Stop.
	Dir string
}

// Backend is one process that serves. Its addresses stay the same over Kill and Restart.
type Backend struct {
	opts         BackendOptions
	dir          string
	temp         bool
	app, metrics *Port

	mu   sync.Mutex // guards proc
	proc *Process
}

// cursorKey is BackendOptions.CursorKey where none is given.
var cursorKey = sync.OnceValue(func() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: it ends the process instead
	return base64.StdEncoding.EncodeToString(key[:])
})

// StartBackend starts a backend on free ports and returns when it is ready. The database must have been migrated.
func StartBackend(ctx context.Context, opts BackendOptions) (*Backend, error) {
	for _, option := range []struct {
		value *string
		usual string
	}{{&opts.Name, "backend"}, {&opts.Issuer, "gatehouse"}, {&opts.Audience, "app"}} {
		if *option.value == "" {
			*option.value = option.usual
		}
	}
	if opts.CursorKey == "" {
		opts.CursorKey = cursorKey()
	}
	b := &Backend{opts: opts}
	if err := b.layOut(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", opts.Name, err), b.giveBack())
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.giveBack())
	}
	return b, nil
}

func (b *Backend) layOut() error {
	b.dir = b.opts.Dir
	if b.dir == "" {
		temp, err := os.MkdirTemp("", "gatehouse-backend-")
		if err != nil {
			return err
		}
		b.dir, b.temp = temp, true
	}
	for _, port := range []**Port{&b.app, &b.metrics} {
		reserved, err := ReservePort()
		if err != nil {
			return err
		}
		*port = reserved
	}
	return nil
}

func (b *Backend) start(ctx context.Context) error {
	proc, err := Start(ctx, Spec{
		Name: b.opts.Name, Path: b.opts.Binary, Args: []string{"serve"}, Env: b.environment(), Dir: b.dir, Log: b.LogPath(),
		Ready: func(ctx context.Context) error { return Answers(ctx, b.URL()+"/ready") },
	})
	if err != nil {
		return err
	}
	b.proc = proc
	return nil
}

func (b *Backend) environment() []string {
	keySet := "IDENTITY_JWKS_FILE="
	if strings.HasPrefix(b.opts.KeySet, "http://") || strings.HasPrefix(b.opts.KeySet, "https://") {
		keySet = "IDENTITY_JWKS_URL="
	}
	env := append(backendEnviron(),
		"DATABASE_URL="+b.opts.DatabaseURL,
		"BACKEND_LISTEN="+b.app.Addr(), "BACKEND_METRICS_LISTEN="+b.metrics.Addr(),
		keySet+b.opts.KeySet, "IDENTITY_ISSUER="+b.opts.Issuer, "IDENTITY_AUDIENCE="+b.opts.Audience,
		"BACKEND_CURSOR_KEY="+b.opts.CursorKey,
	)
	if b.opts.LogLevel != "" {
		env = append(env, "BACKEND_LOG_LEVEL="+b.opts.LogLevel)
	}
	return append(env, b.opts.Env...)
}

// backendEnviron is this process's environment without what steers the backend or PostgreSQL's clients.
func backendEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		for _, prefix := range []string{"BACKEND_", "DATABASE_", "IDENTITY_", "GATEHOUSE_", "PG"} {
			if strings.HasPrefix(pair, prefix) {
				return true
			}
		}
		return false
	})
}

// AdministerBackend runs a command of the backend that ends by itself, such as "migrate", "up", as the login of
// adminURL. What it says is appended to the file log.
func AdministerBackend(ctx context.Context, binary, adminURL, log string, args ...string) error {
	return Run(ctx, Spec{
		Name: "backend " + strings.Join(args, " "), Path: binary, Args: args,
		Env: append(backendEnviron(), "DATABASE_ADMIN_URL="+adminURL), Dir: filepath.Dir(log), Log: log,
	})
}

// Addr is where it listens for the edge: "127.0.0.1:<port>".
func (b *Backend) Addr() string { return b.app.Addr() }

// URL is the root of Addr.
func (b *Backend) URL() string { return "http://" + b.app.Addr() }

// MetricsURL is what Prometheus would read.
func (b *Backend) MetricsURL() string { return "http://" + b.metrics.Addr() + "/metrics" }

// Process is the backend as it runs now, or ran last.
func (b *Backend) Process() *Process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.proc
}

// Kill ends the backend as a crash would.
func (b *Backend) Kill() error { return b.Process().Kill() }

// Pause hangs the backend: it takes connections and answers nothing.
func (b *Backend) Pause() error { return b.Process().Pause() }

// Resume ends a Pause.
func (b *Backend) Resume() error { return b.Process().Resume() }

// Restart stops the backend if it runs, and starts it on the same ports.
func (b *Backend) Restart(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.proc.Stop(stopGrace); err != nil {
		return err
	}
	return b.start(ctx)
}

// Stop ends the backend in order and removes its directory if that was temporary.
func (b *Backend) Stop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.proc.Stop(stopGrace), b.giveBack())
}

func (b *Backend) giveBack() error {
	for _, port := range []*Port{b.app, b.metrics} {
		if port != nil {
			port.Release()
		}
	}
	if !b.temp {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// Log is all that the backend has written since it was first started in its directory: one JSON object a line.
func (b *Backend) Log() string { return b.Process().Log() }

// LogPath is the file of the log.
func (b *Backend) LogPath() string { return filepath.Join(b.dir, "backend.log") }
