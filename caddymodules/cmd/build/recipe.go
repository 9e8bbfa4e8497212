package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/caddyserver/xcaddy"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Recipe is what xcaddy.toml says. Every key that is not here is refused.
type Recipe struct {
	// Caddy is Caddy's version: a tag such as v2.11.9. Required.
	Caddy string `toml:"caddy"`
	// Output is where the binary goes, from the file's folder. Required.
	Output string `toml:"output"`
	// Flags are for `go build`. Default: xcaddy's, which are -trimpath, -ldflags "-w -s" and the tags
	// nobadger,nomysql,nopgx; given flags replace all of them.
	Flags []string `toml:"flags"`
	// Plugins are built in, in this order.
	Plugins []Plugin `toml:"plugins"`
}

// Plugin is one [[plugins]] table.
type Plugin struct {
	// Module is the path of a module, or of a package in a module that stands before it. Required.
	Module string `toml:"module"`
	// Version is a tag, a branch or a commit. Default: the newest release, or, for a package of a
	// module with a path, that module's.
	Version string `toml:"version"`
	// Path is a folder to take the module from, from the file's folder.
	Path string `toml:"path"`
}

// What may stand in a go command: neither is read as a flag, or as more than one argument.
var (
	modulePath = regexp.MustCompile(`^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+(/[0-9A-Za-z._~-]+)*$`)
	version    = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+/-]*$`)
)

// Read reads the recipe in the file. Its paths come back absolute. Errors name the file, line and
// column.
func Read(file string) (Recipe, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Recipe{}, fmt.Errorf("read the recipe: %w", err)
	}
	var r Recipe
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&r); err != nil {
		return Recipe{}, located(file, err)
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return Recipe{}, fmt.Errorf("find the folder of %s: %w", file, err)
	}
	if err := r.resolve(folder, func(plugin int, key string) string { return position(file, text, plugin, key) }); err != nil {
		return Recipe{}, err
	}
	return r, nil
}

// resolve makes the paths absolute and refuses what cannot be built. at is where a key stands: of a
// plugin from 0, or of the recipe itself, -1.
func (r *Recipe) resolve(folder string, at func(plugin int, key string) string) error {
	switch {
	case !version.MatchString(r.Caddy):
		return fmt.Errorf(`%s: caddy must be Caddy's version, as in caddy = "v2.11.9", got %q`, at(-1, "caddy"), r.Caddy)
	case r.Output == "":
		return fmt.Errorf(`%s: output must name the binary, as in output = "bin/gatehouse-custom"`, at(-1, "output"))
	}
	r.Output = absolute(folder, r.Output)
	listed := map[string]bool{}
	for i := range r.Plugins {
		p := &r.Plugins[i]
		switch {
		case !modulePath.MatchString(p.Module):
			return fmt.Errorf("%s: module must be a path, as in github.com/owner/name, with the version on its own line, got %q", at(i, "module"), p.Module)
		case p.Version != "" && !version.MatchString(p.Version):
			return fmt.Errorf("%s: version must be a tag, a branch or a commit, as in v1.2.3, got %q", at(i, "version"), p.Version)
		case listed[p.Module]:
			return fmt.Errorf("%s: plugin %q is listed twice", at(i, "module"), p.Module)
		}
		listed[p.Module] = true
		if p.Path == "" {
			continue
		}
		p.Path = absolute(folder, p.Path)
		if _, err := os.Stat(filepath.Join(p.Path, "go.mod")); err != nil {
			return fmt.Errorf("%s: path must be the folder of the module %q: %w", at(i, "path"), p.Module, err)
		}
	}
	return nil
}

// Builder is the recipe in xcaddy's terms.
func (r *Recipe) Builder() xcaddy.Builder {
	b := xcaddy.Builder{CaddyVersion: r.Caddy}
	for _, p := range r.Plugins {
		b.Plugins = append(b.Plugins, xcaddy.Dependency{PackagePath: p.Module, Version: p.Version})
		if p.Path != "" {
			b.Replacements = append(b.Replacements, xcaddy.NewReplace(p.Module, p.Path))
		}
	}
	// xcaddy splits one string as a shell would.
	quoted := make([]string, len(r.Flags))
	for i, flag := range r.Flags {
		quoted[i] = "'" + strings.ReplaceAll(flag, "'", `'"'"'`) + "'"
	}
	b.BuildFlags = strings.Join(quoted, " ")
	return b
}

func absolute(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// located puts file, line and column before what is wrong.
func located(file string, err error) error {
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var all []error
		for _, e := range unknown.Errors {
			line, column := e.Position()
			all = append(all, fmt.Errorf("%s:%d:%d: unknown key %q: there are caddy, output and flags, and module, version and path in [[plugins]]",
				file, line, column, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		return fmt.Errorf("%s:%d:%d: %s", file, line, column, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", file, err)
}

// position is where the key of a plugin (from 0) or of the recipe (-1) stands; if it is missing, where
// its table begins. The text has been decoded without error.
func position(file string, text []byte, plugin int, key string) string {
	at := file
	var p unstable.Parser
	p.Reset(text)
	for table := -1; p.NextExpression(); {
		e := p.Expression()
		name := e.Key()
		name.Next()
		start := p.Shape(name.Node().Raw).Start
		here := fmt.Sprintf("%s:%d:%d", file, start.Line, start.Column)
		switch {
		case e.Kind == unstable.ArrayTable:
			if table++; table == plugin {
				at = here
			}
		case table == plugin && string(name.Node().Data) == key:
			return here
		}
	}
	return at
}
