package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ErrInstall is wrapped by Ensure when a package manager was asked and did not deliver.
var ErrInstall = errors.New("could not be installed")

// packageGrace is what a package manager gets to leave its database in order when it is interrupted.
const packageGrace = time.Minute

// Ensure installs what is missing of needs: by apt-get as root or with a sudo that asks nothing, by brew. It
// tells out what it does. On other machines, and where sudo wants a password, it installs nothing and returns a
// *MissingError with the line to type.
func Ensure(ctx context.Context, out io.Writer, needs ...Need) error {
	absent := Missing(needs...)
	if len(absent) == 0 {
		return nil
	}
	m, ok := findManager()
	if !ok {
		return missing(absent)
	}
	run, ok := m.unattended(ctx)
	packages := m.packages(absent)
	if !ok || len(packages) == 0 {
		return missing(absent)
	}
	fmt.Fprintf(out, "installing %s by %s\n", strings.Join(packages, ", "), m.program)
	if err := run(ctx, packages); err != nil {
		return fmt.Errorf("%s %w: %w", strings.Join(packages, ", "), ErrInstall, err)
	}
	if absent = Missing(absent...); len(absent) > 0 {
		return fmt.Errorf("%w: %w", ErrInstall, missing(absent))
	}
	return nil
}

// unattended returns how the manager installs packages without asking anybody; false when it cannot.
func (m manager) unattended(ctx context.Context) (func(context.Context, []string) error, bool) {
	switch m.program {
	case "brew":
		return func(ctx context.Context, packages []string) error {
			return runQuietly(ctx, append([]string{"brew", "install"}, packages...))
		}, os.Geteuid() != 0
	case "apt-get":
		apt := []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"}
		if os.Geteuid() != 0 {
			if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
				return nil, false
			}
			apt = append([]string{"sudo", "-n"}, apt...)
		}
		return func(ctx context.Context, packages []string) error { return aptInstall(ctx, apt, packages) }, true
	}
	return nil, false
}

// aptInstall reads the lists of packages only when they are absent or stale, which a failure shows.
func aptInstall(ctx context.Context, apt, packages []string) error {
	install := append(append([]string{}, apt...), "install", "-y", "--no-install-recommends")
	install = append(install, packages...)
	first := runQuietly(ctx, install)
	if first == nil || ctx.Err() != nil {
		return first
	}
	if err := runQuietly(ctx, append(append([]string{}, apt...), "update")); err != nil {
		return err
	}
	return runQuietly(ctx, install)
}

// runQuietly keeps the output for the error. The command stays in our process group, so that Ctrl-C reaches it.
func runQuietly(ctx context.Context, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = packageGrace
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, bytes.TrimSpace(output))
	}
	return nil
}
