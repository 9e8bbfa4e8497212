package adapt_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"

	_ "github.com/gatehouse-proxy/gatehouse/caddymodules"
)

var update = flag.Bool("update", false, "write what the golden files adapt to")

const divider = "\n----------\n"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run keeps what modules write while they are provisioned out of the home directory.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "adapt")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if err := os.Setenv(name, dir); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

func TestGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("*.caddyfiletest")
	require.NoError(t, err)
	require.NotEmpty(t, files, "there are no golden files")
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".caddyfiletest"), func(t *testing.T) { testGolden(t, file) })
	}
}

func testGolden(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	source, want, _ := strings.Cut(string(content), divider)

	got, err := adapt(source)
	if err == nil {
		err = validate([]byte(got))
	}
	if *update {
		if err != nil {
			got = essence(err)
		}
		require.NoError(t, os.WriteFile(file, []byte(strings.TrimRight(source, "\n")+divider+got+"\n"), 0o600))
		return
	}
	want = strings.TrimSpace(want)
	require.NotEmpty(t, want, "nothing is expected of %s: run with -update, and read it", file)
	if !strings.HasPrefix(want, "{") {
		require.ErrorContains(t, err, want)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// adapt returns the indented JSON of a Caddyfile.
func adapt(source string) (string, error) {
	// The formatter wants a final newline.
	result, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.TrimSpace(source)+"\n"), nil)
	if err != nil {
		return "", err
	}
	if len(warnings) > 0 {
		return "", &warningError{warnings[0]}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, result, "", "\t"); err != nil {
		return "", err
	}
	return out.String(), nil
}

// warningError makes a warning of the adapter, such as one of formatting, an error here.
type warningError struct{ warning caddyconfig.Warning }

func (e *warningError) Error() string { return e.warning.String() }

// validate is `caddy validate`: it provisions everything and starts nothing.
func validate(result []byte) error {
	var cfg caddy.Config
	if err := caddy.StrictUnmarshalJSON(result, &cfg); err != nil {
		return err
	}
	return caddy.Validate(&cfg)
}

// essence is the part of an error that is ours: Caddy's own part names each module that it is in.
func essence(err error) string {
	text := err.Error()
	const ours = "invalid configuration: "
	if i := strings.LastIndex(text, ours); i >= 0 {
		return text[i+len(ours):]
	}
	return text
}
