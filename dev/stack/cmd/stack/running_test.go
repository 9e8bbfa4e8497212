package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// patience is for things that take a second or two, on a machine that may be busy.
const patience = 60 * time.Second

// mainEnv turns this test binary into the command itself.
const mainEnv = "DEVSTACK_TEST_MAIN"

// caddyfile is the least that a run needs; the one of the checkout has tests of its own.
const caddyfile = `{
	admin {$GATEHOUSE_ADMIN}
	{$GATEHOUSE_STORAGE}
	auto_https disable_redirects
	skip_install_trust
}
{$GATEHOUSE_SITE} {
	header Redis "{env.REDIS_URL}"
	respond /.well-known/gatehouse-jwks.json "the keys"
	reverse_proxy {$GATEHOUSE_UPSTREAM}
}
`

func TestMain(m *testing.M) {
	if os.Getenv(standInEnv) != "" && slices.Contains([]string{"serve", "migrate", "seed"}, os.Args[1]) {
		standIn()
	}
	if os.Getenv(mainEnv) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// place is a state directory and two ports, in which runs are started one after the other.
type place struct {
	state, caddyfile string
	ports            []string
	provider         string
	edge             string
	backend          bool // what is behind the edge; false: the small upstream
}

func newPlace(t *testing.T) *place {
	t.Helper()
	// Not t.TempDir, which is root's alone when this is root: Redis has another account.
	dir, err := os.MkdirTemp("", "gatehouse-stack-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	// Built here, where it may take its time.
	_, err = stack.UpstreamBinary(t.Context())
	require.NoError(t, err)

	p := &place{state: filepath.Join(dir, "state"), caddyfile: filepath.Join(dir, "Caddyfile"), edge: stack.BuildGatehouse(t, false)}
	require.NoError(t, os.WriteFile(p.caddyfile, []byte(caddyfile), 0o600))
	for range 2 {
		p.ports = append(p.ports, strconv.Itoa(stack.PortForTest(t).Number))
	}
	p.provider = strconv.Itoa(stack.PortForTest(t).Number)
	return p
}

// holdingProgram is a program that writes down its pid and then does nothing, in the place of one that a run starts.
// With a node's number it is the real edge for the other nodes.
func (p *place) holdingProgram(t *testing.T, only int) (path string, held func() int) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(p.state), "hold")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o777)) // Redis's account writes too
	path, pid := filepath.Join(dir, "hold"), filepath.Join(dir, "pid")
	script := "#!/bin/sh\n"
	if only > 0 {
		script += "[ \"$GATEHOUSE_SITE\" = https://localhost:" + p.ports[only-1] + " ] || exec " + p.edge + " \"$@\"\n"
	}
	script += "echo $$ > " + pid + "\nexec sleep 600\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
	return path, func() int {
		text, _ := os.ReadFile(pid)
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n
	}
}

// asProgram makes target known by name in a directory for PATH, and returns the directory.
func (p *place) asProgram(t *testing.T, name, target string) string {
	t.Helper()
	dir := filepath.Dir(target)
	require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	return dir
}

// command is stack with args, on this place.
func (p *place) command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, append(args, "--state", p.state)...)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "REDIS_URL=", "DATABASE_URL=", "DATABASE_ADMIN_URL=", mineEnv+"=",
		"GATEHOUSE_BIN="+p.edge,
		"GORACE=atexit_sleep_ms=0") // a race build waits for a second at its end otherwise
	return cmd
}

// running is a `stack run` in the background.
type running struct {
	t      *testing.T
	place  *place
	cmd    *exec.Cmd
	out    *output
	stdin  io.WriteCloser
	ended  chan struct{}
	status error
}

// output may be read while the command writes it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (p *place) run(t *testing.T, args ...string) *running {
	t.Helper()
	return p.runWith(t, nil, args...)
}

// runWith adds to the environment.
func (p *place) runWith(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	if !p.backend {
		args = append(args, "--without-backend")
	}
	args = append([]string{"run", "--ports", strings.Join(p.ports, ","), "--provider-port", p.provider, "--caddyfile", p.caddyfile}, args...)
	r := &running{t: t, place: p, cmd: p.command(t.Context(), t, args...), out: &output{}, ended: make(chan struct{})}
	r.cmd.Env = append(r.cmd.Env, env...)
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	var err error
	r.stdin, err = r.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	go func() {
		r.status = r.cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.ended
		if t.Failed() {
			t.Logf("stack run said:\n%s", r.out)
		}
	})
	return r
}

// says waits until the run has printed text.
func (r *running) says(text string) {
	r.t.Helper()
	r.eventually(func() bool { return strings.Contains(r.out.String(), text) }, "never said %q", text)
}

func (r *running) eventually(ok func() bool, message string, args ...any) {
	r.t.Helper()
	require.Eventually(r.t, ok, patience, 5*time.Millisecond, append([]any{message}, args...)...)
}

// note is what the run has written down so far.
func (r *running) note() note {
	n, err := (&state{dir: r.place.state}).read()
	if err != nil {
		return note{}
	}
	return n
}

func (r *running) pid(name string) int {
	r.t.Helper()
	pid := 0
	for _, s := range r.note().Started {
		if s.Name == name {
			pid = s.PID // the last one, after restarts
		}
	}
	require.NotZero(r.t, pid, "%s was never started", name)
	return pid
}

// interrupt is Ctrl-C, and waits for the end.
func (r *running) interrupt() {
	r.t.Helper()
	require.NoError(r.t, r.cmd.Process.Signal(os.Interrupt))
	r.end()
}

func (r *running) end() {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		require.Fail(r.t, "stack run goes on")
	}
}

// allGone fails while one of the processes lives.
func (r *running) allGone(started []started) {
	r.t.Helper()
	for _, s := range started {
		r.eventually(func() bool { return syscall.Kill(s.PID, 0) != nil }, "%s (pid %d) was left behind", s.Name, s.PID)
	}
}

// get asks a node for a path and returns what the upstream has seen, and the URL of the Redis that the edge has.
func (r *running) get(node int, path string) (answer upstream.Answer, redis string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "https://localhost:"+r.place.ports[node]+path, http.NoBody)
	require.NoError(r.t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of a CA that nobody knows
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	require.NoError(r.t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer, resp.Header.Get("Redis")
}

// passes asks a node and wants to see the upstream's answer.
func (r *running) passes(node int) {
	r.t.Helper()
	answer, _ := r.get(node, "/api/x")
	require.Equal(r.t, "upstream", answer.Instance)
	require.Equal(r.t, "/api/x", answer.Path)
}

// redisSays sends one inline command to the Redis that the run printed.
func (r *running) redisSays(command string) string {
	r.t.Helper()
	_, rest, found := strings.Cut(r.out.String(), "redis://")
	require.True(r.t, found)
	addr, err := url.Parse("redis://" + strings.Fields(rest)[0])
	require.NoError(r.t, err)
	conn, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", addr.Host)
	require.NoError(r.t, err)
	defer conn.Close()
	require.NoError(r.t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "%s\r\nQUIT\r\n", command)
	require.NoError(r.t, err)
	reply, err := io.ReadAll(conn)
	require.NoError(r.t, err)
	return strings.TrimSuffix(string(reply), "+OK\r\n")
}

// redis is `stack redis <command>`, from another terminal.
func (r *running) redis(command string) string {
	r.t.Helper()
	out, err := r.place.command(r.t.Context(), r.t, "redis", command).CombinedOutput()
	require.NoError(r.t, err, "%s", out)
	return string(out)
}
