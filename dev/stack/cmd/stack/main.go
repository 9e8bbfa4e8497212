// Command stack is `make run`: Redis, PostgreSQL, an identity provider, two edge nodes and the backend with demo data,
// from one command that leaves nothing behind.
//
//	stack run              start all of it and say what to try; Ctrl-C stops it
//	stack redis <command>  hurt the Redis of that run and bring it back
//	stack deps [--test]    install what is missing, or say what to type
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const usage = `usage:
  stack run [--without-redis] [--without-backend] [--ports 8443,8444] [--provider-port 8442] [--caddyfile FILE] [--state DIR]
  stack redis ` + redisCommands + ` [--state DIR]
  stack deps [--test]
`

func main() {
	// Before anything is started: Ctrl-C, a closed terminal and kill all end in the same orderly stop.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends this process at once, and the kernel ends the rest.
	context.AfterFunc(ctx, stop)
	err := dispatch(ctx, os.Args[1:])
	switch {
	case err == nil:
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Println("stopped")
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) // flag has printed what is wrong
	default:
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch command, args := args[0], args[1:]; command {
	case "run":
		return runCommand(ctx, args)
	case "redis":
		return redisCommand(ctx, args)
	case "deps":
		return depsCommand(ctx, args)
	default:
		fmt.Fprint(os.Stderr, usage)
		return flag.ErrHelp
	}
}

func depsCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("deps", flag.ContinueOnError)
	test := flags.Bool("test", false, "also what only the tests need")
	if err := parse(flags, args); err != nil {
		return err
	}
	needs := []stack.Need{stack.NeedRedis, stack.NeedPostgres}
	if *test {
		needs = append(needs, stack.NeedCompiler, stack.NeedNode, stack.NeedChromium, stack.NeedCurl, stack.NeedPromtool, stack.NeedSystemd)
	}
	return stack.Ensure(ctx, os.Stdout, needs...)
}

// parse takes flags and nothing else.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: %q is not an option\n%s", flags.Name(), strings.Join(flags.Args(), " "), usage)
	}
	return nil
}
