// Command mutants changes one place of a package at a time and runs the package's tests. A mutant that the
// tests accept has survived: it is printed, and the exit status is 1. The work tree is not written; the changed
// file reaches the compiler by go's -overlay.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	sample := flag.Int("sample", 20, "mutants tried in each package; 0 tries all")
	seed := flag.Uint64("seed", 1, "chooses the sample")
	limit := flag.Duration("limit", 2*time.Minute, "time of one test run; a mutant that takes longer is killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survived, err := run(ctx, flag.Args(), *sample, *seed, *limit)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if survived > 0 {
		os.Exit(1)
	}
}

// pkg is what go list tells of a package.
type pkg struct {
	Dir, ImportPath     string
	GoFiles, EmbedFiles []string
}

func run(ctx context.Context, patterns []string, sample int, seed uint64, limit time.Duration) (survived int, err error) {
	list, err := exec.CommandContext(ctx, "go", append([]string{"list", "-json=Dir,ImportPath,GoFiles,EmbedFiles"}, patterns...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(list)); decoder.More(); {
		var p pkg
		if err := decoder.Decode(&p); err != nil {
			return survived, err
		}
		n, err := p.try(ctx, sample, rand.New(rand.NewPCG(seed, 0)), limit)
		if survived += n; err != nil {
			return survived, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
	}
	return survived, nil
}

// try runs the tests for a sample of the package's mutants and returns how many survived.
func (p *pkg) try(ctx context.Context, sample int, random *rand.Rand, limit time.Duration) (survived int, err error) {
	if v, out, err := p.test(ctx, nil, limit); err != nil || v != accepted {
		return 0, errors.Join(fmt.Errorf("the tests fail without a mutant:\n%s", out), err)
	}
	var mutants []mutant
	for _, name := range slices.Concat(p.GoFiles, p.EmbedFiles) {
		path := filepath.Join(p.Dir, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		found, err := mutate(path, source)
		if err != nil {
			return 0, err
		}
		mutants = append(mutants, found...)
	}
	random.Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	tried := 0
	for i := range mutants {
		if sample > 0 && tried == sample {
			break
		}
		v, _, err := p.test(ctx, &mutants[i], limit)
		if err != nil {
			return survived, err
		}
		if v == uncompiled {
			continue
		}
		tried++
		if v == accepted {
			survived++
			fmt.Printf("survived %s:%d: %s\n", mutants[i].path, mutants[i].line, mutants[i].change)
		}
	}
	fmt.Printf("%s: %d of %d mutants survived\n", p.ImportPath, survived, tried)
	return survived, nil
}

type verdict int

const (
	accepted verdict = iota
	killed
	uncompiled
)

// test runs the package's tests with m in place of its file; a nil m changes nothing.
func (p *pkg) test(ctx context.Context, m *mutant, limit time.Duration) (verdict, []byte, error) {
	args := []string{"test", "-count=1", "-vet=off", "-failfast", "-timeout", limit.String()}
	if m != nil {
		dir, err := os.MkdirTemp("", "mutants")
		if err != nil {
			return killed, nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		changed, overlay := filepath.Join(dir, filepath.Base(m.path)), filepath.Join(dir, "overlay.json")
		text, err := json.Marshal(map[string]map[string]string{"Replace": {m.path: changed}})
		if err != nil {
			return killed, nil, err
		}
		if err := errors.Join(os.WriteFile(changed, m.source, 0o600), os.WriteFile(overlay, text, 0o600)); err != nil {
			return killed, nil, err
		}
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, p.ImportPath)...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return killed, out, ctx.Err()
	case err == nil:
		return accepted, out, nil
	case !errors.As(err, &exit):
		return killed, out, err
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return uncompiled, out, nil
	}
	return killed, out, nil
}
