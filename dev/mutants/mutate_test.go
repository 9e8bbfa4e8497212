package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func changes(t *testing.T, path, source string) (all []string) {
	t.Helper()
	mutants, err := mutate(path, []byte(source))
	require.NoError(t, err)
	for _, m := range mutants {
		require.NotEqual(t, source, string(m.source), m.change)
		all = append(all, m.change)
	}
	return all
}

func TestMutate(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"`<` becomes `<=`", "`` becomes `+1`", "`n++` is dropped", "`f()` is dropped", "`n = 2` is dropped", "`true` becomes `false`", "`err` becomes `nil`",
	}, changes(t, "a.go", "package a\nfunc g() (bool, error) {\n\tif n < 3 {\n\t\tn++\n\t\tf()\n\t\tn = 2\n\t}\n\treturn true, err\n}\n"))
	require.Equal(t, []string{"`>=` becomes `>`", "`and` becomes `or`", "`redis.call('DEL', k)` is dropped"},
		changes(t, "a.lua", "-- a < b\nif a >= b and c then\n\tredis.call('DEL', k) -- or\nend\n"))
	require.Equal(t, []string{"`=` becomes `<>`", "`DELETE FROM a WHERE b = 1;` is dropped"},
		changes(t, "a.sql", "DELETE FROM a WHERE b = 1;\n"))
	require.Empty(t, changes(t, "a.html", "a < b"))
}

// The tests of this package's copy kill one mutant of two, and the file stays as it is.
func TestRun_countsSurvivors(t *testing.T) {
	dir := t.TempDir()
	const source = "package a\n\nfunc positive(n int) bool { return n > 0 }\n"
	for name, text := range map[string]string{
		"go.mod":    "module example.com/a\n\ngo 1.26\n",
		"a.go":      source,
		"a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tif !positive(2) || positive(0) {\n\t\tt.Fatal()\n\t}\n}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	t.Chdir(dir)
	survived, err := run(t.Context(), []string{"."}, 0, 1, time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, survived, "`n > 0+1` survives, `n >= 0` is killed")
	got, err := os.ReadFile("a.go")
	require.NoError(t, err)
	require.Equal(t, source, string(got))
}
