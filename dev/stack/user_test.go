package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataDir_isWhereTheAccountCanGo(t *testing.T) {
	open := reachableDir(t)
	require.NoError(t, os.Chmod(open, 0o711))
	dir, err := DataDir(filepath.Join(open, "redis"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(open, "redis"), dir)

	closed := filepath.Join(t.TempDir(), "redis") // t.TempDir is its owner's alone
	dir, err = DataDir(closed)
	require.NoError(t, err)
	if os.Geteuid() != 0 {
		require.Equal(t, closed, dir, "an ordinary user runs servers as itself")
		return
	}
	require.True(t, strings.HasPrefix(dir, "/var/lib/gatehouse-stack/"), dir)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(filepath.Dir(dir))) })
	r := RedisForTest(t, RedisOptions{Dir: dir})
	require.Equal(t, "PONG", cli(t, r, "PING"))
}
