package redisapp

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeptID_staysTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	first, err := keptID(dir)
	require.NoError(t, err)
	assert.Regexp(t, plainName, first)
	second, err := keptID(dir)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 1, "nothing else is left there")
}

func TestKeptID_isOneForAllWhoMakeItAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() { ids[i], _ = keptID(dir) })
	}
	wg.Wait()
	for _, id := range ids {
		assert.Equal(t, ids[0], id)
	}
}

func TestKeptID_isMadeForThisProcessWhereItCannotBeKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	id, err := keptID(filepath.Join(file, "below"))
	require.Error(t, err)
	assert.Regexp(t, plainName, id)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "node_id"), []byte("not {an} id"), 0o600))
	id, err = keptID(dir)
	require.ErrorContains(t, err, "remove it")
	assert.Regexp(t, plainName, id)
}
