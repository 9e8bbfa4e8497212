package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// Package is what the law asks about a package.
type Package struct {
	// Imports are those of the code that is shipped, Tests those of its tests alone.
	Imports, Tests []string
	// Doc is the first sentence of the package's comment.
	Doc      string
	Standard bool
}

// Graph holds this module's packages and all that their shipped code reaches, by import path. What
// only tests import is in it as a name without imports of its own.
type Graph map[string]Package

// Load asks the go command about the module around dir. It takes about half a second.
func Load(ctx context.Context, dir string) (Graph, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps",
		"-tags=nobadger,nomysql,nopgx,bench,chaos,soak",
		"-json=ImportPath,Imports,TestImports,XTestImports,Doc,Standard", Module+"/...")
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %s: %w", complaint.String(), err)
	}
	g := Graph{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Path         string   `json:"ImportPath"`
			Doc          string   `json:"Doc"`
			Standard     bool     `json:"Standard"`
			Imports      []string `json:"Imports"`
			TestImports  []string `json:"TestImports"`
			XTestImports []string `json:"XTestImports"`
		}
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return g, nil
		case err != nil:
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		g[p.Path] = Package{
			Imports:  p.Imports,
			Tests:    append(p.TestImports, p.XTestImports...),
			Doc:      p.Doc,
			Standard: p.Standard,
		}
	}
}

// ours lists the packages of this module, in order.
func (g Graph) ours() []string {
	var paths []string
	for path := range g {
		if within(path, Module) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// way is the shortest chain of imports that leads from the package over one of the first imports to a
// package that found accepts, or nil.
func (g Graph) way(from string, first []string, found func(string) bool) []string {
	before := map[string]string{from: ""}
	queue := []string{}
	visit := func(path, importer string) {
		if _, seen := before[path]; !seen {
			before[path] = importer
			queue = append(queue, path)
		}
	}
	for _, path := range first {
		visit(path, from)
	}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		if found(path) {
			var chain []string
			for ; path != ""; path = before[path] {
				chain = append(chain, path)
			}
			slices.Reverse(chain)
			return chain
		}
		if !g[path].Standard {
			for _, next := range g[path].Imports {
				visit(next, path)
			}
		}
	}
	return nil
}
