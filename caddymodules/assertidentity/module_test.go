package assertidentity

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProvision_makesOneKeyForAllWhoShareTheStorage(t *testing.T) {
	const directive = "assert_identity {\naudience app\n}"
	var all sync.WaitGroup
	ids := make([]string, 3)
	for i := range ids {
		ctx := configuration(t)
		all.Go(func() {
			h, err := provision(ctx, directive)
			if assert.NoError(t, err) {
				ids[i] = h.keyring.KeyID()
			}
		})
	}
	all.Wait()
	assert.Len(t, slices.Compact(ids), 1, "nodes that start together made several keys: %v", ids)

	files, err := filepath.Glob(filepath.Join(storageDirectory(t), storedAt, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.Equal(t, ids[0]+".pem", filepath.Base(files[0]))
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	// A restart finds it again.
	h, err := provision(configuration(t), directive)
	require.NoError(t, err)
	assert.Equal(t, ids[0], h.keyring.KeyID())
}

func TestProvision_sharesKeysAndKeepsThemOverAReload(t *testing.T) {
	dir := keyDirectory(t)
	directive := "assert_identity {\naudience app\nkeys " + dir + "\n}"
	old, unloadOld := reloadable(t)
	one, err := provision(old, directive)
	require.NoError(t, err)
	two, err := provision(old, strings.Replace(directive, "app", "backend", 1))
	require.NoError(t, err)
	assert.Same(t, one.keyring, two.keyring)

	current, unload := reloadable(t)
	three, err := provision(current, directive)
	require.NoError(t, err)
	unloadOld()
	assert.Same(t, one.keyring, three.keyring)
	select {
	case <-three.keyring.done:
		t.Error("the keys are no longer followed after a reload")
	default:
	}
	unload()
	<-three.keyring.done // the last one out stops it
	for _, key := range []any{one.keyring.key, metricsKey{}} {
		_, held := pool.References(key)
		assert.False(t, held, "%v is still held", key)
	}
}

func TestProvision_refusesUnusableKeys(t *testing.T) {
	readable := keyDirectory(t)
	require.NoError(t, os.Chmod(filepath.Join(readable, "1.pem"), 0o644))
	for name, tc := range map[string]struct{ keys, want string }{
		"absent":      {filepath.Join(t.TempDir(), "absent"), "openssl genpkey"},
		"readable":    {readable, "chmod 0600"},
		"unset":       {"{env.NOT_SET_ANYWHERE}", "env.NOT_SET_ANYWHERE"},
		"placeholder": {"{no.such.thing}", "no.such.thing"},
	} {
		_, err := provision(configuration(t), "assert_identity {\naudience app\nkeys "+tc.keys+"\n}")
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, "keys", name)
	}
}

func TestProvision_readsTheEnvironment(t *testing.T) {
	t.Setenv("APP_AUDIENCE", "app-7")
	h, err := provision(configuration(t), "assert_identity {\naudience {env.APP_AUDIENCE}\n}")
	require.NoError(t, err)
	assert.Equal(t, "app-7", h.signer.Audience)
}

// A storage that is locked or broken must not let an edge start without keys.
func TestProvision_failsWithItsStorage(t *testing.T) {
	dir := storageDirectory(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, storedAt), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, storedAt, "broken.pem"), []byte("half a key"), 0o600))
	_, err := provision(configuration(t), "assert_identity {\naudience app\n}")
	require.ErrorContains(t, err, "broken.pem")
}

// uncomparable is a storage that cannot be a map key.
type uncomparable struct {
	certmagic.Storage
	_ []int
}

func TestJoinKeyring_takesAnyKindOfStorage(t *testing.T) {
	storage := uncomparable{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	first, err := joinStored(storage)
	require.NoError(t, err)
	second, err := joinStored(storage)
	require.NoError(t, err)
	assert.NotSame(t, first, second)
	assert.Equal(t, first.KeyID(), second.KeyID())
	for _, k := range []*keyring{first, second} {
		require.NoError(t, k.release())
		<-k.done
	}
}

func TestDefaults(t *testing.T) {
	h, err := provision(configuration(t), "assert_identity {\naudience app\n}")
	require.NoError(t, err)
	assert.Equal(t, "gatehouse", h.Issuer)
	assert.Equal(t, caddy.Duration(defaultTTL), h.TTL)
	assert.Equal(t, []string{"email", "name"}, h.Claims)
	assert.Empty(t, h.Headers)
	assert.Equal(t, "/.well-known/gatehouse-jwks.json", h.JWKSPath)

	// JSON can ask for no claims at all.
	module, err := configuration(t).LoadModuleByID("http.handlers.assert_identity", []byte(`{"audience": "app", "claims": []}`))
	require.NoError(t, err)
	assert.Empty(t, module.(*Handler).Claims)
}

func TestUser_propertyKeysTellUsersApart(t *testing.T) {
	values := []any{
		nil, "", "a", "ab", "-", "s", true, false, "true", 0, 1, -1, int64(1), 1.0, 0.0, "1", []string{}, []string{""}, []string{"a"}, []string{"a", "b"},
		[]string{"ab"}, []any{}, []any{"a"}, []any{"a", "b"}, []any{[]any{"a"}, "b"}, []any{[]any{"a", "b"}}, namedList{"a", "b"}, namedList{"ab"}, start, start.Add(1),
	}
	seen := map[string][2]any{}
	for _, a := range values {
		for _, b := range values {
			key := string(appendValue(appendValue(nil, a), b))
			if before, twice := seen[key]; twice && !sameForAll(before, [2]any{a, b}) {
				t.Errorf("%#v and %#v have one key", before, [2]any{a, b})
			}
			seen[key] = [2]any{a, b}
		}
	}
}

// sameForAll says whether an assertion could tell the values apart.
func sameForAll(a, b [2]any) bool {
	one, err1 := json.Marshal(a)
	two, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(one) == string(two)
}
