package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// RedisOptions say what the server is to be. The zero value is an open server on a free port of 127.0.0.1 that
// keeps nothing.
type RedisOptions struct {
	// Name stands in errors. Default: redis.
	Name string
	// Dir holds data, configuration and log, and stays after Stop. Empty: a temporary directory, removed by Stop.
	Dir string
	// AppendOnly keeps every write by an append-only file that is synced before the reply (appendfsync always).
	// Without it a restart comes back empty.
	AppendOnly bool
	// Password is that of the default user.
	Password string
	// ACL are the lines of an ACL file, such as "user limits on >secret ~gh:* &* +@all". The server keeps an
	// administrator of its own beside them, by which the methods here go on working.
	ACL []string
	// UnixSocket also listens on SocketPath.
	UnixSocket bool
	// TLS makes the port speak TLS only. See MakeTLSFiles.
	TLS *TLSFiles
	// RequireClientCert refuses TLS clients without a certificate of the CA.
	RequireClientCert bool
	// ReplicaOf makes this a replica; see WaitReplicated.
	ReplicaOf *Redis
	// Config are further lines of redis.conf, such as "maxmemory 10mb".
	Config []string
}

// Redis is a private Redis or Valkey server. Its port and data stay the same over Kill and Restart.
type Redis struct {
	opts    RedisOptions
	server  string // path of the program
	account *Account
	dir     string
	temp    []string // directories to remove on Stop
	socket  string
	tls     *tls.Config

	mu   sync.Mutex // guards port and proc
	port *Port
	proc *Process
}

const (
	commandTimeout = 5 * time.Second

	// adminUser is the account that the methods here use when an ACL could lock the default user out.
	adminUser     = "devstack"
	adminPassword = "devstack"
)

// StartRedis starts a server and returns when it answers. A machine without one gives a *MissingError that
// names the line to type.
func StartRedis(ctx context.Context, opts RedisOptions) (*Redis, error) {
	if opts.Name == "" {
		opts.Name = "redis"
	}
	server, err := RedisServer()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged(redisAccounts...)
	if err != nil {
		return nil, err
	}
	r := &Redis{opts: opts, server: server, account: account}
	if err := r.layOut(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", opts.Name, err), r.removeTemp())
	}
	if err := onFreePort(ctx, func(port *Port) error {
		r.port = port
		return r.start(ctx)
	}); err != nil {
		return nil, errors.Join(err, r.removeTemp())
	}
	return r, nil
}

func (r *Redis) start(ctx context.Context) error {
	if err := r.writeConfig(); err != nil {
		return fmt.Errorf("configure %s: %w", r.opts.Name, err)
	}
	proc, err := Start(ctx, Spec{
		Name: r.opts.Name, Path: r.server, Args: []string{r.configPath()},
		Dir: r.dir, Log: r.LogPath(), Account: r.account,
		Ready: func(ctx context.Context) error {
			_, err := r.do(ctx, "PING")
			return err
		},
	})
	if err != nil {
		return err
	}
	r.proc = proc
	return nil
}

// Addr is "127.0.0.1:<port>", the same for the server's whole life, restarts included.
func (r *Redis) Addr() string { return r.port.Addr() }

// SocketPath is where the Unix socket is; empty without RedisOptions.UnixSocket.
func (r *Redis) SocketPath() string { return r.socket }

// URL connects as the default user: redis://127.0.0.1:1234, with its password, rediss for TLS.
func (r *Redis) URL() string { return r.URLFor("", r.opts.Password) }

// URLFor connects as a user of the ACL.
func (r *Redis) URLFor(username, password string) string {
	u := url.URL{Scheme: "redis", Host: r.Addr()}
	if r.opts.TLS != nil {
		u.Scheme = "rediss"
	}
	if password != "" {
		u.User = url.UserPassword(username, password)
	}
	return u.String()
}

// TLSConfig is what a client needs to connect: the CA, and the certificate where one is required. Nil without TLS.
func (r *Redis) TLSConfig() *tls.Config {
	if r.tls == nil {
		return nil
	}
	return r.tls.Clone()
}

// CLI sends one command and returns the reply as redis-cli prints it, without quotes: arrays one element a
// line, nil as an empty string. It signs in as an administrator. A reply that is an error is returned as one;
// so is no reply within 5 s, as from a server that is down or paused.
func (r *Redis) CLI(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	reply, err := r.do(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", r.opts.Name, strings.Join(args, " "), err)
	}
	return reply, nil
}

func (r *Redis) do(ctx context.Context, args ...string) (string, error) {
	user, password := "", r.opts.Password
	if len(r.opts.ACL) > 0 {
		user, password = adminUser, adminPassword
	}
	return ask(ctx, "tcp", r.Addr(), r.tls, user, password, args)
}

// Answers tells whether the server replies within limit.
func (r *Redis) Answers(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, err := r.do(ctx, "PING")
	return err == nil
}

// Flush empties all databases. Scripts stay loaded.
func (r *Redis) Flush() error {
	_, err := r.CLI("FLUSHALL", "SYNC")
	return err
}

// WaitReplicated returns when the replica has its primary's data and follows it.
func (r *Redis) WaitReplicated(ctx context.Context) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		info, err := r.do(ctx, "INFO", "replication")
		if err == nil && strings.Contains(info, "master_link_status:up") {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s follows %s: %w", r.opts.Name, r.opts.ReplicaOf.Addr(), errors.Join(ctx.Err(), err))
		}
	}
}

// Process is the server as it runs now, or ran last.
func (r *Redis) Process() *Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proc
}

// Kill ends the server as a crash would. Its port refuses connections until Restart.
func (r *Redis) Kill() error { return r.Process().Kill() }

// Pause hangs the server: connections are accepted by the kernel and nothing is answered.
func (r *Redis) Pause() error { return r.Process().Pause() }

// Resume ends a Pause. What clients sent meanwhile is executed now.
func (r *Redis) Resume() error { return r.Process().Resume() }

// Restart stops the server if it runs, and starts it on the same port with the data that its persistence kept.
func (r *Redis) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.proc.Stop(stopGrace); err != nil {
		return err
	}
	return r.start(ctx)
}

// Stop ends the server in order, gives its port back and removes its directory if that was temporary.
func (r *Redis) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.proc.Stop(stopGrace)
	r.port.Release()
	return errors.Join(err, r.removeTemp())
}

// Log is all that the server has written since it was first started in its directory.
func (r *Redis) Log() string { return r.Process().Log() }

// LogPath is the file of the log, in the directory of the data.
func (r *Redis) LogPath() string { return filepath.Join(r.dir, "redis.log") }

func (r *Redis) configPath() string { return filepath.Join(r.dir, "redis.conf") }

func (r *Redis) removeTemp() error {
	var errs []error
	for _, dir := range r.temp {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
