package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const caddyModule = "github.com/caddyserver/caddy/v2"

// Source is what the shipped edge is built from.
type Source struct {
	// Module is this module's path, Root its folder.
	Module, Root string
	// Required are the versions in go.mod.
	Required map[string]string
	// Imported is what caddymodules/imports.go imports.
	Imported []string
	// Registering are the packages below caddymodules that register a Caddy module.
	Registering []string
}

// Check says where the recipe in the folder would build another edge than the one that is shipped.
func Check(ctx context.Context, r Recipe, folder string) error {
	src, err := readSource(ctx, folder)
	if err != nil {
		return err
	}
	return errors.Join(Compare(r, src)...)
}

// Compare lists the differences, each with its cure.
func Compare(r Recipe, src Source) []error {
	var differences []error
	differ := func(format string, args ...any) {
		differences = append(differences, fmt.Errorf(format, args...))
	}

	if want := src.Required[caddyModule]; r.Caddy != want {
		differ("xcaddy.toml builds Caddy %s, go.mod requires %s: change one of them", r.Caddy, want)
	}

	ours := []Plugin{
		{Module: src.Module, Version: "v0.0.0", Path: src.Root},
		{Module: src.Module + "/caddymodules"},
	}
	if len(r.Plugins) < 2 || !slices.Equal(r.Plugins[:2], ours) {
		differ(`xcaddy.toml must list first %s with version = "v0.0.0" and path = ".", then %s/caddymodules without either: xcaddy asks the proxy for anything else`, src.Module, src.Module)
	}

	for _, p := range r.Plugins {
		if within(p.Module, src.Module) {
			continue
		}
		if !slices.ContainsFunc(src.Imported, func(pkg string) bool { return within(pkg, p.Module) }) {
			differ("xcaddy.toml lists %s, imports.go does not import it: import it, or keep it in a recipe of your own (--file)", p.Module)
		}
		if want := src.required(p.Module); p.Version != want {
			differ("xcaddy.toml builds %s at %q, go.mod requires %q", p.Module, p.Version, want)
		}
	}
	for _, pkg := range src.Imported {
		switch {
		case !within(pkg, src.Module):
			if !slices.ContainsFunc(r.Plugins, func(p Plugin) bool { return within(pkg, p.Module) }) {
				differ("imports.go imports %s, xcaddy.toml does not list it", pkg)
			}
		case !slices.Contains(src.Registering, pkg):
			differ("imports.go imports %s, which registers no Caddy module", pkg)
		}
	}
	for _, pkg := range src.Registering {
		if !slices.Contains(src.Imported, pkg) {
			differ("%s registers a Caddy module, imports.go does not import it", pkg)
		}
	}
	return differences
}

// required is the version of the module that holds the package.
func (s *Source) required(pkg string) string {
	for p := pkg; p != "."; p = path.Dir(p) {
		if v, ok := s.Required[p]; ok {
			return v
		}
	}
	return ""
}

func readSource(ctx context.Context, folder string) (Source, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return Source{}, fmt.Errorf("find the module: %w", err)
	}
	src := Source{Root: root, Required: map[string]string{}}
	if err := src.readModule(ctx); err != nil {
		return Source{}, err
	}
	edge := filepath.Join(root, "caddymodules")
	imports, err := parser.ParseFile(token.NewFileSet(), filepath.Join(edge, "imports.go"), nil, parser.ImportsOnly)
	if err != nil {
		return Source{}, fmt.Errorf("read imports.go: %w", err)
	}
	for _, i := range imports.Imports {
		pkg, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return Source{}, fmt.Errorf("read imports.go: %w", err)
		}
		// The standard library's have no dot before the first slash.
		if first, _, _ := strings.Cut(pkg, "/"); strings.Contains(first, ".") {
			src.Imported = append(src.Imported, pkg)
		}
	}
	if err := src.findRegistering(edge); err != nil {
		return Source{}, fmt.Errorf("look for Caddy modules: %w", err)
	}
	return src, nil
}

// readModule asks the go command to read go.mod.
func (s *Source) readModule(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir = s.Root
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("read go.mod in %s: %w", s.Root, err)
	}
	var mod struct {
		Module struct {
			Path string `json:"Path"`
		} `json:"Module"`
		Require []struct {
			Path    string `json:"Path"`
			Version string `json:"Version"`
		} `json:"Require"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return fmt.Errorf("read go.mod in %s: %w", s.Root, err)
	}
	s.Module = mod.Module.Path
	for _, r := range mod.Require {
		s.Required[r.Path] = r.Version
	}
	return nil
}

// findRegistering looks for packages whose shipped code calls caddy.RegisterModule.
func (s *Source) findRegistering(edge string) error {
	return filepath.WalkDir(edge, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(s.Root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := path.Join(s.Module, filepath.ToSlash(folder))
		if registers(parsed) && !slices.Contains(s.Registering, pkg) {
			s.Registering = append(s.Registering, pkg)
		}
		return nil
	})
}

func registers(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "RegisterModule" {
			if pkg, ok := call.X.(*ast.Ident); ok && pkg.Name == "caddy" {
				found = true
			}
		}
		return !found
	})
	return found
}

// within reports whether the package is the module's, or the module itself.
func within(pkg, module string) bool {
	return pkg == module || strings.HasPrefix(pkg, module+"/")
}
