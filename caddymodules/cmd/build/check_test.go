package main

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheck_theRepositoryAgrees(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	r, err := Read(filepath.Join(root, "xcaddy.toml"))
	require.NoError(t, err)
	require.NoError(t, Check(t.Context(), r, root))
}

func TestCompare_namesEachDifference(t *testing.T) {
	const module = "example.com/gate"
	goodRecipe := func() Recipe {
		return Recipe{Caddy: "v2.11.9", Plugins: []Plugin{
			{Module: module, Version: "v0.0.0", Path: "/src"},
			{Module: module + "/caddymodules"},
			{Module: "example.com/dns/v2", Version: "v2.1.0"},
		}}
	}
	goodSource := func() Source {
		return Source{
			Module: module, Root: "/src",
			Required:    map[string]string{caddyModule: "v2.11.9", "example.com/dns/v2": "v2.1.0"},
			Imported:    []string{module + "/caddymodules/a", module + "/caddymodules/b", "example.com/dns/v2/caddydns"},
			Registering: []string{module + "/caddymodules/a", module + "/caddymodules/b"},
		}
	}
	require.Empty(t, Compare(goodRecipe(), goodSource()))

	for _, tt := range []struct {
		name string
		give func(*Recipe, *Source)
		want string
	}{
		{"another Caddy", func(r *Recipe, _ *Source) { r.Caddy = "v2.11.8" }, "builds Caddy v2.11.8, go.mod requires v2.11.9"},
		{"module not first", func(r *Recipe, _ *Source) { slices.Reverse(r.Plugins) }, "must list first example.com/gate"},
		{"module without version", func(r *Recipe, _ *Source) { r.Plugins[0].Version = "" }, `version = "v0.0.0"`},
		{"module from elsewhere", func(r *Recipe, _ *Source) { r.Plugins[0].Path = "/elsewhere" }, `path = "."`},
		{"no modules of ours", func(r *Recipe, _ *Source) { r.Plugins = r.Plugins[:1] }, "must list first"},
		{"plugin that is not imported", func(_ *Recipe, s *Source) { s.Imported = s.Imported[:2] }, "lists example.com/dns/v2, imports.go does not import it"},
		{"plugin at another version", func(_ *Recipe, s *Source) { s.Required["example.com/dns/v2"] = "v2.2.0" }, `at "v2.1.0", go.mod requires "v2.2.0"`},
		{"import that is not listed", func(r *Recipe, _ *Source) { r.Plugins = r.Plugins[:2] }, "imports.go imports example.com/dns/v2/caddydns, xcaddy.toml does not list it"},
		{"module that is not imported", func(_ *Recipe, s *Source) { s.Imported = slices.Delete(s.Imported, 0, 1) }, "caddymodules/a registers a Caddy module, imports.go does not import it"},
		{"import that registers nothing", func(_ *Recipe, s *Source) { s.Registering = s.Registering[1:] }, "caddymodules/a, which registers no Caddy module"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, s := goodRecipe(), goodSource()
			tt.give(&r, &s)
			assert.ErrorContains(t, errors.Join(Compare(r, s)...), tt.want)
		})
	}
}
