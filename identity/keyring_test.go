package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// RFC 8037, appendix A.3.
func TestThumbprint_isThatOfTheRFC(t *testing.T) {
	public, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := identity.Thumbprint(ed25519.PublicKey(public)), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeyring_signsWithTheNewestSettledKey(t *testing.T) {
	file := func(name string, age time.Duration) (identity.KeyFile, string) {
		keyPEM, id := newKey(t)
		return identity.KeyFile{Name: name, PEM: keyPEM, Modified: start.Add(-age)}, id
	}
	old, oldID := file("old.pem", 48*time.Hour)
	recent, recentID := file("recent.pem", 11*time.Minute)
	fresh, freshID := file("fresh.pem", time.Minute)
	twin, twinID := file("twin.pem", time.Minute)
	future, _ := file("future.pem", -time.Hour)
	for name, tc := range map[string]struct {
		give []identity.KeyFile
		want string
	}{
		"a lone key at once":              {[]identity.KeyFile{fresh}, freshID},
		"a lone key from the future":      {[]identity.KeyFile{future}, ""},
		"the newest over ten minutes":     {[]identity.KeyFile{fresh, recent, old}, recentID},
		"the old one while new settles":   {[]identity.KeyFile{fresh, old}, oldID},
		"never one from the future":       {[]identity.KeyFile{future, recent}, recentID},
		"of fresh ones the first by name": {[]identity.KeyFile{twin, fresh}, freshID},
		"all fresh, one older":            {[]identity.KeyFile{twin, future}, twinID},
	} {
		t.Run(name, func(t *testing.T) {
			keyring := openKeyring(t, &files{list: tc.give}, &clock{at: start}, nil)
			if got := keyring.KeyID(); tc.want != "" && got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if got := published(t, keyring); len(got) != len(tc.give) {
				t.Errorf("%d keys published of %d", len(got), len(tc.give))
			}
		})
	}
}

func TestKeyring_rotatesWhileRunning(t *testing.T) {
	c := &clock{at: start}
	var events []identity.KeyringEvent
	keyPEM, oldID := newKey(t)
	source := &files{list: []identity.KeyFile{{Name: "1.pem", PEM: keyPEM, Modified: start.Add(-time.Hour)}}}
	keyring := openKeyring(t, source, c, &events)

	// A copying tool has kept the file's time: it counts from when it came.
	keyPEM, newID := newKey(t)
	source.list = append(source.list, identity.KeyFile{Name: "2.pem", PEM: keyPEM, Modified: start.Add(-30 * time.Minute)})
	reload(t, keyring)
	if got := published(t, keyring); !slices.Contains(got, newID) || !slices.Contains(got, oldID) {
		t.Fatalf("published %v", got)
	}
	for _, step := range []struct {
		advance time.Duration
		want    string
	}{{0, oldID}, {10 * time.Minute, oldID}, {time.Second, newID}} {
		c.advance(step.advance)
		if got := keyring.KeyID(); got != step.want {
			t.Errorf("at %s: got %s, want %s", c.at.Sub(start), got, step.want)
		}
	}
	// A mount of secrets gives all files a new time: they are as old as before.
	for i := range source.list {
		source.list[i].Modified = c.at
	}
	reload(t, keyring)
	if got := keyring.KeyID(); got != newID {
		t.Errorf("after a touch: got %s, want %s", got, newID)
	}
	source.list = source.list[1:]
	reload(t, keyring)
	if got := published(t, keyring); !slices.Equal(got, []string{newID}) {
		t.Errorf("the withdrawn key is still published: %v", got)
	}
	want := []identity.KeyringEvent{{KeyID: oldID, Published: 1}, {KeyID: oldID, Published: 2}, {KeyID: newID, Published: 2}, {KeyID: newID, Published: 1}}
	if !slices.Equal(events, want) {
		t.Errorf("reported %v, want %v", events, want)
	}
}

func TestKeyring_keepsTheLastKeysWhenTheSourceFails(t *testing.T) {
	c := &clock{at: start}
	var events []identity.KeyringEvent
	keyPEM, id := newKey(t)
	good := []identity.KeyFile{{Name: "1.pem", PEM: keyPEM}}
	source := &files{list: good}
	keyring := openKeyring(t, source, c, &events)
	var many []identity.KeyFile
	for i := range 101 {
		keyPEM, _ := newKey(t)
		many = append(many, identity.KeyFile{Name: strconv.Itoa(i), PEM: keyPEM})
	}
	for name, broken := range map[string]files{
		"gone":       {err: errors.New("gone")},
		"empty":      {},
		"half a key": {list: []identity.KeyFile{good[0], {Name: "2.pem", PEM: keyPEM[:40]}}},
		"one twice":  {list: []identity.KeyFile{good[0], {Name: "2.pem", PEM: keyPEM}}},
		"101 keys":   {list: many},
	} {
		*source = broken
		events = nil
		for range 3 {
			if err := keyring.Reload(t.Context()); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if keyring.KeyID() != id || len(published(t, keyring)) != 1 {
			t.Errorf("%s: the keys did not stay", name)
		}
		if len(events) != 1 || events[0].Err == nil {
			t.Errorf("%s: reported %v, want one error", name, events)
		}
	}
	*source, events = files{list: good}, nil
	reload(t, keyring)
	if len(events) != 1 || events[0].Err != nil {
		t.Errorf("the recovery was not reported: %v", events)
	}
}

func TestKeyring_runsUntilItsContextEnds(t *testing.T) {
	keyPEM, _ := newKey(t)
	source := &files{list: []identity.KeyFile{{Name: "1.pem", PEM: keyPEM}}}
	reported := make(chan identity.KeyringEvent, 10)
	keyring, err := identity.OpenKeyring(t.Context(), identity.KeyringConfig{Source: source, Report: func(e identity.KeyringEvent) { reported <- e }})
	if err != nil {
		t.Fatal(err)
	}
	<-reported
	source.err = errors.New("gone")
	ctx, cancel := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() { keyring.Run(ctx, ticks); close(done) }()
	ticks <- start
	if event := <-reported; event.Err == nil {
		t.Error("the tick did not reload")
	}
	cancel()
	<-done
}

func TestOpenKeyring_refusesWhatIsNoKey(t *testing.T) {
	good, _ := newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(privateKey(t, good).Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for name, tc := range map[string]struct {
		give []byte
		want string
	}{
		"empty":         {nil, "no PEM block"},
		"RSA":           {block("PRIVATE KEY", rsaDER), "not Ed25519"},
		"a public key":  {block("PUBLIC KEY", publicDER), `"PUBLIC KEY"`},
		"encrypted":     {block("ENCRYPTED PRIVATE KEY", publicDER), "unencrypted"},
		"nonsense":      {block("PRIVATE KEY", []byte("nonsense")), "cannot be read"},
		"two keys":      {append(slices.Clone(good), good...), "one key in a file"},
		"trailing text": {append(slices.Clone(good), "x"...), "one key in a file"},
	} {
		t.Run(name, func(t *testing.T) {
			source := &files{list: []identity.KeyFile{{Name: "odd.pem", PEM: tc.give}}}
			_, err := identity.OpenKeyring(t.Context(), identity.KeyringConfig{Source: source})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "odd.pem") {
				t.Errorf("got %v, want an error with %q that names the file", err, tc.want)
			}
		})
	}
}

func TestDirectory_readsPEMFilesAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Directory(dir).Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
		t.Errorf("an empty directory: %v", err)
	}
	keyPEM, _ := newKey(t)
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, keyPEM, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("1.pem", 0o600)
	write("README", 0o644)
	write(".swap.pem", 0o644)
	target := write(".data", 0o640)
	if err := os.Symlink(target, filepath.Join(dir, "2.pem")); err != nil {
		t.Fatal(err)
	}
	got, err := identity.Directory(dir).Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "1.pem" || got[1].Name != "2.pem" || got[0].Modified.IsZero() {
		t.Errorf("got %v", got)
	}

	if err := os.Mkdir(filepath.Join(dir, "3.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Directory(dir).Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory named 3.pem: %v", err)
	}
	for name, path := range map[string]string{"absent": filepath.Join(dir, "absent"), "a file": filepath.Join(dir, "1.pem")} {
		if _, err := identity.Directory(path).Keys(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func openKeyring(t *testing.T, source identity.KeySource, c *clock, events *[]identity.KeyringEvent) *identity.Keyring {
	t.Helper()
	config := identity.KeyringConfig{Source: source, Now: c.now}
	if events != nil {
		config.Report = func(e identity.KeyringEvent) { *events = append(*events, e) }
	}
	keyring, err := identity.OpenKeyring(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func reload(t *testing.T, keyring *identity.Keyring) {
	t.Helper()
	if err := keyring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// published are the ids in the keyring's set, which holds nothing of the private halves.
func published(t *testing.T, keyring *identity.Keyring) []string {
	t.Helper()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(keyring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, key := range set.Keys {
		if len(key) != 6 || key["kty"] != "OKP" || key["crv"] != "Ed25519" || key["use"] != "sig" || key["alg"] != "EdDSA" {
			t.Errorf("published %v", key)
		}
		ids = append(ids, key["kid"])
	}
	return ids
}

func writeFile(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
