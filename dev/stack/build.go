package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// gatehouseEnv and backendEnv name the environment variables that give a built edge and a built backend, to be used
	// as they are.
	gatehouseEnv = "GATEHOUSE_BIN"
	backendEnv   = "GATEHOUSE_BACKEND_BIN"

	module           = "github.com/gatehouse-proxy/gatehouse"
	gatehousePackage = "./caddymodules/cmd/gatehouse"
	backendPackage   = "./backend/cmd/backend"
	upstreamPackage  = "./dev/upstream/cmd/upstream"

	// StateDir is the folder of the checkout that holds what is built and kept here; git ignores it.
	StateDir = ".stack"

	// buildTags leave out databases that the edge never opens; the Makefile has the same, for one build cache.
	buildTags = "nobadger,nomysql,nopgx"

	// buildTimeout covers a cold cache under the race detector on two cores (3 to 4 min) with room.
	buildTimeout = 15 * time.Minute
	lockInterval = 50 * time.Millisecond
	// interruptGrace is what go build gets to take its compilers down.
	interruptGrace = 5 * time.Second
)

// ModuleRoot finds the checkout by its go.mod, upwards from the working directory.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module "+module+"\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside a checkout of Gatehouse: no go.mod of " + module + " here or above")
		}
		dir = parent
	}
}

// EdgeBinary builds the edge, or takes the one that GATEHOUSE_BIN names, and returns its path. What is up to date is not
// built again, which takes half a second to find out.
func EdgeBinary(ctx context.Context, race bool) (string, error) {
	return givenOrBuilt(ctx, gatehouseEnv, gatehousePackage, "gatehouse", race)
}

// BackendBinary is EdgeBinary for the backend, which GATEHOUSE_BACKEND_BIN names.
func BackendBinary(ctx context.Context, race bool) (string, error) {
	return givenOrBuilt(ctx, backendEnv, backendPackage, "backend", race)
}

func givenOrBuilt(ctx context.Context, env, pkg, name string, race bool) (string, error) {
	if path := os.Getenv(env); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("%s: %w", env, err)
		}
		return filepath.Abs(path)
	}
	return build(ctx, pkg, name, race)
}

// UpstreamBinary builds the small upstream of dev/upstream and returns its path.
func UpstreamBinary(ctx context.Context) (string, error) {
	return build(ctx, upstreamPackage, "upstream", false)
}

// BuildGatehouse is EdgeBinary for tests: built once a test process.
func BuildGatehouse(tb testing.TB, race bool) string {
	tb.Helper()
	if race {
		return builtForTest(tb, edgeRaceOnce)
	}
	return builtForTest(tb, edgeOnce)
}

// BuildBackend is BackendBinary for tests: built once a test process.
func BuildBackend(tb testing.TB, race bool) string {
	tb.Helper()
	if race {
		return builtForTest(tb, backendRaceOnce)
	}
	return builtForTest(tb, backendOnce)
}

func builtForTest(tb testing.TB, once func() (string, error)) string {
	tb.Helper()
	path, err := once()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

var (
	edgeOnce        = onceWithin(buildTimeout, EdgeBinary, false)
	edgeRaceOnce    = onceWithin(buildTimeout, EdgeBinary, true)
	backendOnce     = onceWithin(buildTimeout, BackendBinary, false)
	backendRaceOnce = onceWithin(buildTimeout, BackendBinary, true)
)

func onceWithin(limit time.Duration, binary func(context.Context, bool) (string, error), race bool) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return binary(ctx, race)
	})
}

// build makes the program of pkg under StateDir/bin. Test processes that build at the same moment wait for each
// other: the second finds it done.
func build(ctx context.Context, pkg, name string, race bool) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, StateDir, "bin")
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	cgo := "0"
	// No VCS stamp: git refuses to look into a checkout of another user, and the build would fail over it.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-tags=" + buildTags}
	if race {
		cgo, name = "1", name+"-race"
		args = append(args, "-race")
	}
	out := filepath.Join(bin, name)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", out, pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("build %s: %w", pkg, ctx.Err())
		}
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, bytes.TrimSpace(output))
	}
	return out, nil
}

// lockFile waits until no other process holds path.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := lockedFile(ctx, path)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// lockedFile is lockFile for a lock that is handed on: it goes with the last process that has the file open.
func lockedFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s, which another process holds: %w", path, ctx.Err())
		case <-time.After(lockInterval):
		}
	}
}
