// Command backend serves the organizations' records behind the edge, and looks after their database.
//
// Its environment says from which database and whom it believes; see `backend help`. It ends with 0 when
// it has done what it was told, 1 when that did not work, and 2 when it was told nonsense: an argument or
// a variable that cannot be. What a command finds goes to the standard output, all else to the standard
// error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(untilSignal(), process{args: os.Args[1:], getenv: os.Getenv, stdout: os.Stdout, stderr: os.Stderr}))
}

// untilSignal returns a context that a signal ends. Signals are let go of before it ends, not after, so that a second
// one ends the process at once, however soon it comes.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}

// process is what a command may see of the one that it runs in.
type process struct {
	args           []string
	getenv         func(string) string
	stdout, stderr io.Writer
}

// The codes that the process ends with.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is what a person has to say otherwise.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

type command struct {
	name, arguments, summary string
	run                      func(context.Context, process) error
}

func commands() []command {
	return []command{
		{"serve", "", "serve the API and the pages, until a signal", serve},
		{"migrate", "up|down|status|plan|adopt|roles", "bring the database to this program's schema, and back", migrateDatabase},
		{"seed", "", "fill an empty database with two organizations to try things with", seed},
		{"check", "references", "list rows that point into another organization", check},
		{"version", "", "say which build this is", version},
		{"help", "", "say this", help},
	}
}

func run(ctx context.Context, p process) int {
	name := "help"
	if len(p.args) > 0 {
		name, p.args = p.args[0], p.args[1:]
	}
	if name == "-h" || name == "--help" {
		name = "help"
	}
	err := usagef("there is no command %q: see `backend help`", name)
	for _, c := range commands() {
		if c.name == name {
			err = c.run(ctx, p)
		}
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.stderr, "backend:", err)
		return exitUsage
	default:
		fmt.Fprintln(p.stderr, "backend:", err)
		return exitFailed
	}
}

// none refuses arguments.
func none(p process) error {
	if len(p.args) > 0 {
		return usagef("unexpected argument %q: see `backend help`", p.args[0])
	}
	return nil
}
