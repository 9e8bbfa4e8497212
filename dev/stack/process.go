package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says how to run one server.
type Spec struct {
	// Name stands in errors and messages: "redis", "node 1".
	Name string
	// Path is the program as it was found. Symbolic links are not resolved: Debian's redis-server is a link
	// to redis-check-rdb, which decides by its name what to be.
	Path string
	Args []string
	// Env is the whole environment. Nil: that of this process.
	Env []string
	Dir string
	// Log is the file that standard output and error are appended to. The child writes it by itself, so a
	// starter that is busy or gone cannot block it.
	Log string
	// Account is whom the server runs as. Nil: as this process.
	Account *Account
	// StopSignal is what Stop asks the process to end by. Zero: SIGTERM.
	StopSignal syscall.Signal
	// DeathSignal is what the kernel sends when this process ends, where it does (Linux). Zero: SIGKILL. A server with
	// helpers of its own is sent what has it end them too.
	DeathSignal syscall.Signal
	// Ready is asked again and again until it returns nil. Nil: ready at once. It must honour its context.
	Ready func(context.Context) error
}

// Process is one running or ended server.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read only after done is closed
}

const (
	readyInterval = 20 * time.Millisecond
	readyTimeout  = time.Second // of one ready check, so that a server that accepts and is silent is asked again
	tailLines     = 20
)

// Start runs the server and returns when it is ready. When ctx ends first, or the server does, nothing is
// left running and the error carries the last lines of the log.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	p, err := spawn(spec)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	if err := p.waitReady(ctx); err != nil {
		_ = p.Kill() // the reason to give up is the better error
		return nil, err
	}
	return p, nil
}

// Run starts a program that ends by itself and waits for that. An exit status other than 0 is an error that carries
// the last lines of the log. When ctx ends first, the program is asked to end, as Stop does, and killed if it does not.
func Run(ctx context.Context, spec Spec) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	p, err := spawn(spec)
	if err != nil {
		return fmt.Errorf("start %s: %w", spec.Name, err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", spec.Name, errors.Join(ctx.Err(), p.Stop(stopGrace)))
	}
	if p.ExitCode() != 0 {
		return fmt.Errorf("%w%s", p.Err(), p.tailForError())
	}
	return nil
}

func spawn(spec Spec) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(spec.Log), 0o750); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	cmd := &exec.Cmd{
		Path: spec.Path, Args: append([]string{spec.Path}, spec.Args...), Env: spec.Env, Dir: spec.Dir,
		Stdout: log, Stderr: log,
		// A group of its own: Ctrl-C in the terminal reaches the starter alone, which stops things in order.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	spec.Account.apply(cmd.SysProcAttr)
	if spec.DeathSignal == 0 {
		spec.DeathSignal = syscall.SIGKILL
	}
	dieWithParent(cmd.SysProcAttr, spec.DeathSignal)

	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	if err := onForkThread(cmd.Start); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *Process) waitReady(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, readyTimeout)
		last := p.spec.Ready(once)
		cancel()
		// Asked after the check: another server could answer on the port of one that ended.
		select {
		case <-p.done:
			return fmt.Errorf("start %s: %w%s", p.spec.Name, p.Err(), p.tailForError())
		default:
		}
		if last == nil {
			return nil
		}
		select {
		case <-p.done:
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w (last ready check: %w)%s", p.spec.Name, ctx.Err(), last, p.tailForError())
		}
	}
}

// Name is that of the Spec.
func (p *Process) Name() string { return p.spec.Name }

// Program is the file name of what runs, as it was started: "gatehouse", "redis-server".
func (p *Process) Program() string { return filepath.Base(p.spec.Path) }

// Pid is the process id. It means nothing once Done is closed.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended yet. A paused one runs.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err says how the process ended ("redis (pid 12) ended: signal: killed"); nil while it runs.
func (p *Process) Err() error {
	if p.Running() {
		return nil
	}
	if p.err == nil {
		return fmt.Errorf("%s (pid %d) ended: exit status 0", p.spec.Name, p.Pid())
	}
	return fmt.Errorf("%s (pid %d) ended: %w", p.spec.Name, p.Pid(), p.err)
}

// ExitCode is the exit status of an ended process; -1 while it runs and when a signal ended it.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends sig. A process that has ended already is an error that wraps os.ErrProcessDone.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.spec.Name, err)
	}
	return nil
}

// Kill ends the process by SIGKILL, as a crash or the kernel's memory killer would, and waits until it is gone.
// An ended process is fine.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// Pause hangs the process by SIGSTOP: its connections stay open and nothing answers. It returns when every
// thread has stopped.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return p.waitStopped()
}

// Resume lets a paused process go on. One that runs is not disturbed.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Stop asks the process to end by the Spec's StopSignal and kills it when it has not within grace, which is an error.
// An ended process is fine; a paused one is resumed so that it can hear.
func (p *Process) Stop(grace time.Duration) error {
	if p.spec.StopSignal == 0 {
		return p.stopBy(syscall.SIGTERM, grace)
	}
	return p.stopBy(p.spec.StopSignal, grace)
}

func (p *Process) stopBy(sig syscall.Signal, grace time.Duration) error {
	if err := p.Signal(sig); errors.Is(err, os.ErrProcessDone) {
		<-p.done
		return nil
	} else if err != nil {
		return err
	}
	_ = p.Resume() // it may have ended by now
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
	}
	if err := p.Kill(); err != nil {
		return err
	}
	return fmt.Errorf("stop %s: not stopped within %s, so killed", p.spec.Name, grace)
}

// Log is everything that the process and its predecessors on the same file have written.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.spec.Log)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}

// Tail is the last n lines of the log.
func (p *Process) Tail(n int) string {
	lines := bytes.Split(bytes.TrimRight([]byte(p.Log()), "\n"), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

func (p *Process) tailForError() string {
	tail := p.Tail(tailLines)
	if tail == "" {
		return ""
	}
	return fmt.Sprintf("\nlast lines of %s:\n    %s", p.spec.Log, strings.ReplaceAll(tail, "\n", "\n    "))
}

// forks hands work to the one thread that starts processes.
var forks = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		forkThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// onForkThread runs f on a thread that lives as long as this process; see forkThread.
func onForkThread(f func() error) error {
	result := make(chan error, 1)
	forks() <- func() { result <- f() }
	return <-result
}
