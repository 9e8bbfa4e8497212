package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// A shell block, whose lines are typed as they are. A comment at a line's end is what it prints.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// shellLines are those of a page's shell blocks, continued lines joined.
func shellLines(t *testing.T, page string) (lines []string) {
	t.Helper()
	for _, m := range shellBlock.FindAllStringSubmatch(textFiles(t)[page], -1) {
		for line := range strings.Lines(strings.ReplaceAll(m[1], "\\\n", "")) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	require.NotEmpty(t, lines, page)
	return lines
}

// Every line of the quick start, as a reader types it, but for ports, which are taken where tests run, and for make,
// whose targets are looked for: they have tests of their own.
func TestQuickStart_doesWhatItSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o750))
	require.NoError(t, os.Symlink(stack.BuildGatehouse(t, false), filepath.Join(dir, "bin", "gatehouse")))
	require.NoError(t, os.Symlink(filepath.Join(root(t), "Caddyfile"), filepath.Join(dir, "Caddyfile")))
	_, app := upstream.Start(t, "app")
	redis := stack.RedisForTest(t, stack.RedisOptions{})
	first, second := stack.PortForTest(t).Addr(), stack.PortForTest(t).Addr()
	places := strings.NewReplacer("127.0.0.1:3000", app, "127.0.0.1:6379", redis.Addr(),
		"localhost:8080", first, "localhost:8081", second, "localhost:2020", stack.PortForTest(t).Addr())
	admin := "GATEHOUSE_ADMIN=" + stack.PortForTest(t).Addr()

	s := &shell{t: t, dir: dir, env: append(bare(os.Environ()), "HOME="+dir, admin)}
	defer s.stop()
	nodes := []string{first, second}
	for _, line := range shellLines(t, "docs/quick-start.md") {
		line, prints, _ := strings.Cut(line, "  # ")
		line = places.Replace(line)
		switch {
		case strings.HasPrefix(line, "make "):
			madeBy(t, strings.TrimPrefix(line, "make "))
		case strings.HasPrefix(line, "export "):
			s.stop() // "Stop the first with Ctrl-C"
			s.env = append(s.env, strings.Fields(strings.TrimPrefix(line, "export "))...)
		case strings.Contains(line, "bin/gatehouse run"):
			s.start(strings.TrimSuffix(line, " &"), nodes[len(s.running)])
		default:
			require.NotEmpty(t, prints, "what does it print? %s", line)
			if strings.Contains(line, second) {
				s.exact() // both know one another, or each would count for itself
			}
			assert.Contains(t, s.run(line), strings.TrimSpace(prints), line)
		}
	}
}

// What the README has its readers type is there.
func TestReadme_makesWhatItSays(t *testing.T) {
	t.Parallel()
	for _, line := range shellLines(t, "README.md") {
		line, _, _ = strings.Cut(line, "#")
		if target, ok := strings.CutPrefix(strings.TrimSpace(line), "make "); ok {
			madeBy(t, target)
		}
	}
}

// madeBy looks for a target of the Makefile.
func madeBy(t *testing.T, target string) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root(t), "Makefile"))
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(target)+`:`, string(makefile))
}

// shell is where a reader types.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	running []*stack.Process
}

func (s *shell) command(line string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

func (s *shell) run(line string) string {
	s.t.Helper()
	out, err := s.command(line).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", line, out)
	return string(out)
}

// start is a line that goes on until Ctrl-C.
func (s *shell) start(line, addr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := stack.Start(ctx, stack.Spec{
		Name: line, Path: "/bin/sh", Args: []string{"-c", "exec env " + line}, Env: s.env, Dir: s.dir, Log: filepath.Join(s.dir, addr+".log"),
		Ready: func(ctx context.Context) error { return stack.Answers(ctx, "http://"+addr+"/health") },
	})
	require.NoError(s.t, err)
	s.running = append(s.running, p)
}

// exact waits until both nodes count in Redis, and know of each other.
func (s *shell) exact() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, p := range s.running {
			if !strings.Contains(p.Log(), "limits are exact over all nodes") {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond)
}

func (s *shell) stop() {
	for _, p := range s.running {
		_ = p.Stop(15 * time.Second)
	}
	s.running = nil
}

// bare is an environment without what steers the edge.
func bare(env []string) (kept []string) {
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		if name != "REDIS_URL" && name != "HOME" && !strings.HasPrefix(name, "GATEHOUSE_") && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "OIDC_") {
			kept = append(kept, pair)
		}
	}
	return kept
}
