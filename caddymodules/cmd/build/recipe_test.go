package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/xcaddy"
	"github.com/google/shlex"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead_refusesBadRecipes(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			first, _, _ := strings.Cut(string(text), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			require.True(t, ok, "the first line says what is wanted")

			_, err = Read(file)
			require.Error(t, err)
			// The file's name comes first, as editors and terminals want it.
			got, ok := strings.CutPrefix(err.Error(), file+":")
			require.True(t, ok, "error does not begin with the file: %v", err)
			assert.True(t, strings.HasPrefix(strings.TrimSpace(got), want), "got %q, want %q", got, want)
		})
	}
}

func TestRead_readsGoodRecipes(t *testing.T) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, tt := range []struct {
		file string
		want Recipe
	}{
		{"minimal.toml", Recipe{
			Caddy:  "v2.11.9",
			Output: filepath.Join(here, "testdata/good/edge"),
		}},
		{"plugins.toml", Recipe{
			Caddy:  "v2.11.9",
			Output: "/opt/edge",
			Flags:  []string{"-trimpath", "-ldflags=-X 'main.name=it''s'"},
			Plugins: []Plugin{
				{Module: "example.com/local", Version: "v0.0.0", Path: filepath.Join(here, "testdata/module")},
				{Module: "example.com/local/inner"},
				{Module: "example.com/dns/v2", Version: "v2.1.0-rc.1"},
				{Module: "example.com/waf", Version: "feature/faster"},
			},
		}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got, err := Read(filepath.Join("testdata/good", tt.file))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBuilder_saysTheSameInXcaddysTerms(t *testing.T) {
	r, err := Read("testdata/good/plugins.toml")
	require.NoError(t, err)
	b := r.Builder()
	assert.Equal(t, "v2.11.9", b.CaddyVersion)
	assert.Equal(t, []xcaddy.Dependency{
		{PackagePath: "example.com/local", Version: "v0.0.0"},
		{PackagePath: "example.com/local/inner"},
		{PackagePath: "example.com/dns/v2", Version: "v2.1.0-rc.1"},
		{PackagePath: "example.com/waf", Version: "feature/faster"},
	}, b.Plugins)
	assert.Equal(t, []xcaddy.Replace{xcaddy.NewReplace("example.com/local", r.Plugins[0].Path)}, b.Replacements)

	// Split as xcaddy splits them, the flags are what the file says.
	flags, err := shlex.Split(b.BuildFlags)
	require.NoError(t, err)
	assert.Equal(t, r.Flags, flags)
}
