package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// {$NAME}, {$NAME:default} and {env.NAME} in a Caddyfile.
	caddyfileVariable = regexp.MustCompile(`\{(?:\$|env\.)([A-Z][A-Z0-9_]*)`)
	// ${NAME} of docker compose, with whatever follows the name.
	composeVariable = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)`)
	// What the backend's variables are called, in a text of its sources.
	backendVariable = regexp.MustCompile(`^(DATABASE|BACKEND|IDENTITY)_[A-Z0-9_]+$`)
)

// ofCaddyItself are read by Caddy, and by no source of ours.
var ofCaddyItself = []string{"XDG_DATA_HOME"}

// edgeVariables are those of the shipped Caddyfile and of the edge's own sources.
func edgeVariables(t *testing.T) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(read(t, "Caddyfile")) {
		code, _, _ := strings.Cut(line, "# ")
		for _, m := range caddyfileVariable.FindAllStringSubmatch(code, -1) {
			names = append(names, m[1])
		}
	}
	names = append(names, looked(t, "caddymodules")...)
	names = append(names, looked(t, "identity")...)
	return unique(append(names, ofCaddyItself...))
}

// looked are the names that os.Getenv and os.LookupEnv are called with below a folder.
func looked(t *testing.T, folder string) (names []string) {
	t.Helper()
	eachSource(t, folder, func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Getenv" || f.Sel.Name == "LookupEnv") {
				name, literal := call.Args[0].(*ast.BasicLit)
				require.True(t, literal, "%s: a variable whose name is computed cannot be documented", folder)
				text, err := strconv.Unquote(name.Value)
				require.NoError(t, err)
				names = append(names, text)
			}
			return true
		})
	})
	return names
}

// backendVariables are the texts in the backend's program that look like one.
func backendVariables(t *testing.T) (names []string) {
	t.Helper()
	eachSource(t, "backend", func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && backendVariable.MatchString(text) {
				names = append(names, text)
			}
			return true
		})
	})
	return unique(names)
}

func eachSource(t *testing.T, folder string, visit func(*ast.File)) {
	t.Helper()
	root := moduleRoot(t)
	err := fs.WalkDir(os.DirFS(root), folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
		if err == nil {
			visit(file)
		}
		return err
	})
	require.NoError(t, err)
}

// composeVariables are those that docker-compose.yml is filled with.
func composeVariables(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range composeVariable.FindAllStringSubmatch(read(t, composeFile), -1) {
		names = append(names, m[1])
	}
	return unique(names)
}

// exampleVariables are those of .env.example, set or commented out.
func exampleVariables(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=`).FindAllStringSubmatch(read(t, ".env.example"), -1) {
		names = append(names, m[1])
	}
	assert.Equal(t, len(names), len(unique(names)), ".env.example has one twice: %v", names)
	return unique(names)
}

func TestEnvExample_hasEveryVariableAndNoOther(t *testing.T) {
	t.Parallel()
	read := slices.Concat(edgeVariables(t), backendVariables(t), composeVariables(t))
	require.Subset(t, read, []string{"REDIS_URL", "GATEHOUSE_SECRET", "DATABASE_URL", "POSTGRES_PASSWORD"}, "the search finds too little")
	assert.Equal(t, unique(read), exampleVariables(t))
}

// Comments of the Caddyfile list what it is set by, for who reads only that.
func TestCaddyfile_saysWhatItIsSetBy(t *testing.T) {
	t.Parallel()
	text := read(t, "Caddyfile")
	for _, name := range edgeVariables(t) {
		if strings.Contains(text, "{$"+name) || strings.Contains(text, "{env."+name) {
			assert.Regexp(t, `(?m)^#   `+name+` `, text)
		}
	}
}

// Each container is given what its program reads, and what it must have.
func TestCompose_environmentIsRead(t *testing.T) {
	t.Parallel()
	p := project(t)
	backend := backendVariables(t)
	programs := map[string]struct{ reads, needs []string }{
		"edge1":    {edgeVariables(t), []string{"GATEHOUSE_SITE", "GATEHOUSE_UPSTREAM", "REDIS_URL", "GATEHOUSE_SECRET", "OIDC_ISSUER", "OIDC_CLIENT_ID"}},
		"migrate":  {backend, []string{"DATABASE_ADMIN_URL"}},
		"seed":     {backend, []string{"DATABASE_ADMIN_URL"}},
		"backend":  {backend, []string{"DATABASE_URL", "BACKEND_LISTEN", "BACKEND_CURSOR_KEY", "IDENTITY_JWKS_URL", "IDENTITY_AUDIENCE"}},
		"entry":    {},
		"provider": {},
		"redis":    {reads: []string{"REDISCLI_AUTH"}},
		// The image's own, and those of the script that it runs.
		"postgres": {reads: []string{"POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_OWNER_PASSWORD", "POSTGRES_APP_PASSWORD"}, needs: []string{"POSTGRES_PASSWORD"}},
	}
	for name, program := range programs {
		given := slices.Collect(maps.Keys(p.Services[name].Environment))
		assert.Subset(t, program.reads, given, "%s does not read all that it is given", name)
		assert.Subset(t, given, program.needs, "%s is not given all that it needs", name)
		for variable, value := range p.Services[name].Environment {
			if assert.NotNil(t, value, "%s takes %s from whoever runs docker", name, variable) {
				assert.NotEmpty(t, *value, "%s: %s", name, variable)
			}
		}
	}
	// A server never sees the owner's password.
	assert.NotContains(t, p.Services["backend"].Environment, "DATABASE_ADMIN_URL")
}

func unique(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
