package identity_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// publisher serves a key set, counts, and fails when told to.
type publisher struct {
	*httptest.Server
	fetches atomic.Int64
	answer  atomic.Pointer[http.HandlerFunc]
}

func newPublisher(t *testing.T, jwks []byte) *publisher {
	t.Helper()
	p := &publisher{}
	p.serve(jwks)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) do(answer http.HandlerFunc) { p.answer.Store(&answer) }

func (p *publisher) serve(jwks []byte) {
	p.do(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) })
}

func (p *publisher) fail() {
	p.do(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
}

func (p *publisher) keys(t *testing.T, c *clock) *identity.KeySet {
	t.Helper()
	keys, err := identity.KeysFromURL(p.URL, identity.WithClock(c.now), identity.WithClient(p.Client()))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeySet_findsByThumbprintAndFetchesOnce(t *testing.T) {
	one, two := newEdge(t), newEdge(t)
	p := newPublisher(t, one.keyring.JWKS())
	c := &clock{at: start}
	keys := p.keys(t, c)
	if n := p.fetches.Load(); n != 0 {
		t.Errorf("%d fetches before any need", n)
	}
	for range 100 {
		if _, err := keys.PublicKey(t.Context(), one.keyring.KeyID()); err != nil {
			t.Fatal(err)
		}
	}
	// A set cannot pass one key off as another.
	p.serve([]byte(strings.ReplaceAll(string(one.keyring.JWKS()), one.keyring.KeyID(), two.keyring.KeyID())))
	c.advance(10 * time.Second)
	if _, err := keys.PublicKey(t.Context(), two.keyring.KeyID()); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestKeySet_unknownKeyIsFetchedAtMostEachTenSeconds(t *testing.T) {
	old, next := newEdge(t), newEdge(t)
	p := newPublisher(t, old.keyring.JWKS())
	c := &clock{at: start}
	keys := p.keys(t, c)
	unknown := func(id string) error { _, err := keys.PublicKey(t.Context(), id); return err }

	for range 100 {
		if err := unknown("x"); !errors.Is(err, identity.ErrInvalid) {
			t.Fatalf("got %v, want ErrInvalid", err)
		}
	}
	c.advance(10*time.Second - 1)
	_ = unknown("y")
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches in 10 s, want 1", n)
	}
	p.serve(next.keyring.JWKS())
	c.advance(1)
	if err := unknown(next.keyring.KeyID()); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestKeySet_dropsAWithdrawnKeyWithinAMinute(t *testing.T) {
	old, next := newEdge(t), newEdge(t)
	p := newPublisher(t, old.keyring.JWKS())
	c := &clock{at: start}
	keys := p.keys(t, c)
	if _, err := keys.PublicKey(t.Context(), old.keyring.KeyID()); err != nil {
		t.Fatal(err)
	}
	p.serve(next.keyring.JWKS())
	c.advance(time.Minute)
	if _, err := keys.PublicKey(t.Context(), old.keyring.KeyID()); err != nil {
		t.Errorf("at one minute: %v", err)
	}
	c.advance(1)
	if _, err := keys.PublicKey(t.Context(), old.keyring.KeyID()); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("past one minute: %v, want ErrInvalid", err)
	}
}

func TestKeySet_keepsTheLastGoodSet(t *testing.T) {
	e := newEdge(t)
	for name, answer := range map[string]http.HandlerFunc{
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a login page":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"nonsense":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"an empty set":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"no set at all": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"an endless set": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(append(e.keyring.JWKS(), strings.Repeat(" ", 64<<10)...))
		},
		"a broken connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t, e.keyring.JWKS())
			c := &clock{at: start}
			keys := p.keys(t, c)
			if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
				t.Fatal(err)
			}
			p.do(answer)
			for range 10 {
				c.advance(time.Hour)
				if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
					t.Fatalf("the last good set is gone: %v", err)
				}
			}
			// The transport itself repeats a GET once when a kept connection turns out to be broken.
			if n := p.fetches.Load(); n != 11 && n != 12 {
				t.Errorf("%d fetches, want 11", n)
			}
			// What only a new set could tell cannot be told.
			if _, err := keys.PublicKey(t.Context(), "unknown"); !errors.Is(err, identity.ErrKeysUnavailable) {
				t.Errorf("got %v, want ErrKeysUnavailable", err)
			}
		})
	}
}

func TestKeySet_failsClosedWithoutAnySet(t *testing.T) {
	e := newEdge(t)
	p := newPublisher(t, nil)
	p.fail()
	c := &clock{at: start}
	keys := p.keys(t, c)
	for range 50 {
		if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); !errors.Is(err, identity.ErrKeysUnavailable) {
			t.Fatalf("got %v, want ErrKeysUnavailable", err)
		}
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches at one moment, want 1", n)
	}
	// As long as there is no set at all, the next try comes after a second.
	p.serve(e.keyring.JWKS())
	c.advance(time.Second)
	if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
		t.Errorf("once the edge answers: %v", err)
	}
}

func TestKeySet_hungEdgeHoldsOneRequestAndOnlyForItsTimeout(t *testing.T) {
	e := newEdge(t)
	p := newPublisher(t, e.keyring.JWKS())
	c := &clock{at: start}
	keys := p.keys(t, c)
	if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}), make(chan struct{})
	p.do(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done(): // the client gave up
		case <-release:
		}
	})
	defer close(release)
	c.advance(2 * time.Minute)
	held := make(chan error)
	go func() { _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); held <- err }()
	<-arrived
	if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
		t.Errorf("another request: %v", err)
	}
	select {
	case err := <-held:
		t.Errorf("the refreshing request did not wait: %v", err)
	default:
	}
	if err := <-held; err != nil {
		t.Errorf("the refreshing request, when its time was out: %v", err)
	}
}

func TestKeySet_waitsForAnotherRequestsFetch(t *testing.T) {
	e := newEdge(t)
	p := newPublisher(t, nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	p.do(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = w.Write(e.keyring.JWKS())
	})
	keys := p.keys(t, &clock{at: start})

	// Whoever began the fetch may go: it is made for all.
	first, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _, _ = keys.PublicKey(first, e.keyring.KeyID()) })
	<-arrived
	leave()
	for range 8 {
		all.Go(func() {
			if _, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err != nil {
				t.Error(err)
			}
		})
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keys.PublicKey(impatient, e.keyring.KeyID()); !errors.Is(err, identity.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a request that ended: %v", err)
	}
	close(release)
	all.Wait()
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestKeysFromFile_followsTheFile(t *testing.T) {
	old, next := newEdge(t), newEdge(t)
	path := writeFile(t, "jwks.json", old.keyring.JWKS())
	c := &clock{at: start}
	keys := identity.KeysFromFile(path, identity.WithClock(c.now))
	if _, err := keys.PublicKey(t.Context(), old.keyring.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, next.keyring.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.advance(10 * time.Second)
	if _, err := keys.PublicKey(t.Context(), next.keyring.KeyID()); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	if _, err := keys.PublicKey(t.Context(), next.keyring.KeyID()); err != nil {
		t.Errorf("the last good set: %v", err)
	}
}

func TestKeySet_takesOnlyEd25519KeysForSignatures(t *testing.T) {
	e := newEdge(t)
	id := e.keyring.KeyID()
	ours := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(e.keyring.JWKS())), `{"keys":[`), `]}`)
	replace := func(old, replacement string) string { return strings.Replace(ours, old, replacement, 1) }
	for name, tc := range map[string]struct {
		set  string
		good bool
	}{
		"among others":      {`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256"},` + ours + `]}`, true},
		"without use":       {`{"keys":[` + replace(`"use":"sig",`, ``) + `]}`, true},
		"for encryption":    {`{"keys":[` + replace(`"use":"sig"`, `"use":"enc"`) + `]}`, false},
		"use a number":      {`{"keys":[` + replace(`"use":"sig"`, `"use":1`) + `]}`, false},
		"another algorithm": {`{"keys":[` + replace(`"alg":"EdDSA"`, `"alg":"ES256"`) + `]}`, false},
		"X25519":            {`{"keys":[` + replace(`"crv":"Ed25519"`, `"crv":"X25519"`) + `]}`, false},
		"a symmetric key":   {`{"keys":[` + replace(`"kty":"OKP"`, `"kty":"oct"`) + `]}`, false},
		"too short":         {`{"keys":[` + replace(`"x":"`, `"x":"AA","y":"`) + `]}`, false},
		"a private key":     {`{"keys":[` + replace(`"use":"sig"`, `"use":"sig","d":"AA"`) + `]}`, false},
		"x twice":           {`{"keys":[` + replace(`"x":"`, `"x":"AA","x":"`) + `]}`, false},
		"keys twice":        {`{"keys":[],"keys":[` + ours + `]}`, false},
		"garbage behind":    {`{"keys":[` + ours + `]}x`, false},
		"101 keys":          {`{"keys":[` + strings.Repeat(`{},`, 100) + ours + `]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			keys := identity.KeysFromFile(writeFile(t, "jwks.json", []byte(tc.set)))
			if _, err := keys.PublicKey(t.Context(), id); (err == nil) != tc.good {
				t.Errorf("got %v, want good = %v", err, tc.good)
			}
		})
	}
}

func TestKeysFromURL_refusesWhatIsNoURL(t *testing.T) {
	for _, address := range []string{"", "edge", "edge.example/jwks", "file:///etc/jwks.json", "https://", "://"} {
		if _, err := identity.KeysFromURL(address); err == nil {
			t.Errorf("%q: no error", address)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	e := newEdge(f)
	f.Add(e.keyring.JWKS())
	f.Add([]byte(`{"keys":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := identity.KeysFromURL("http://edge", identity.WithClient(&http.Client{Transport: answer(data)}))
		if err != nil {
			t.Fatal(err)
		}
		if key, err := keys.PublicKey(t.Context(), e.keyring.KeyID()); err == nil && identity.Thumbprint(key) != e.keyring.KeyID() {
			t.Errorf("%q gave another key", data)
		}
	})
}

type answer []byte

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(a))}, nil
}
