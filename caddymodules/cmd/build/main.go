// Command build makes an edge with plugins of one's own from xcaddy.toml, by the builder library of
// xcaddy, which reads no such file itself.
//
// With --check it builds nothing, and says where xcaddy.toml, caddymodules/imports.go and go.mod would
// make different edges. The file is read by [Read]; [Recipe] explains its keys.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build", flag.ExitOnError)
	file := flags.String("file", "xcaddy.toml", "the recipe to build from")
	output := flags.String("output", "", "where the binary goes, instead of the recipe's output")
	check := flags.Bool("check", false, "only check the recipe against caddymodules/imports.go and go.mod")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}

	recipe, err := Read(*file)
	if err != nil {
		return err
	}
	if *check {
		return Check(ctx, recipe, filepath.Dir(*file))
	}
	if *output != "" {
		if recipe.Output, err = filepath.Abs(*output); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return recipe.Builder().Build(ctx, recipe.Output)
}
