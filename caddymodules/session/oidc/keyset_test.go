package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func TestKeySet_followsARotation(t *testing.T) {
	w := newWorld(t, nil)
	_, before := w.mustLogin(t, "adam")
	if err := w.op.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	w.clock.add(refetchInterval - time.Second)
	_, _, err := w.login(t, "adam")
	wantReason(t, err, "id token", ReasonUnknownKey)
	if n := w.op.Calls("jwks"); n != 1 {
		t.Errorf("keys were fetched %d times within %s, want once", n, refetchInterval)
	}
	w.clock.add(time.Second)
	w.mustLogin(t, "adam")
	if _, err := w.VerifyBearer(t.Context(), before.Access); err != nil {
		t.Errorf("the key before is still published, but: %v", err)
	}
	if n := w.op.Calls("jwks"); n != 2 {
		t.Errorf("keys were fetched %d times, want twice", n)
	}
}

func TestKeySet_forgetsWhatIsNotPublished(t *testing.T) {
	w := newWorld(t, nil)
	_, before := w.mustLogin(t, "adam")
	if err := w.op.RotateKeys(false); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Minute)
	w.mustLogin(t, "adam")
	_, err := w.VerifyBearer(t.Context(), before.Access)
	wantReason(t, err, "access token", ReasonUnknownKey)
}

// Tokens that anybody can make must not have us fetch without limit.
func TestKeySet_isNotDrivenByBadTokens(t *testing.T) {
	w := newWorld(t, nil)
	w.clock.add(time.Hour)
	for fault, want := range map[string]int{"bad_signature": 0, "wrong_key": 0, "alg_none": 0, "alg_hs256": 0, "unknown_key": 1} {
		before := w.op.Calls("jwks")
		w.fault(t, idp.Fault{Name: fault, On: "logout"})
		for range 20 {
			if _, err := w.VerifyLogoutToken(t.Context(), w.logoutToken(t, "adam", ""), &seen{}); err == nil {
				t.Errorf("%s: accepted", fault)
			}
		}
		if got := w.op.Calls("jwks") - before; got != want {
			t.Errorf("%s: 20 tokens had the keys fetched %d times, want %d", fault, got, want)
		}
	}
}

func TestKeySet_fetchesOnceForAll(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.op.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	raw := w.logoutToken(t, "adam", "")
	w.clock.add(time.Minute)
	w.fault(t, idp.Fault{Name: "slow", On: "jwks", Arg: "200ms"})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := w.VerifyLogoutToken(t.Context(), raw, &seen{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.op.Calls("jwks"); n != 2 {
		t.Errorf("keys were fetched %d times, want once at the start and once for all", n)
	}
}

func TestKeySet_waitsForAHungProviderFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		p := discovered(t, b.cfg)
		if err := b.op.RotateKeys(true); err != nil {
			t.Fatal(err)
		}
		raw := b.token(t)
		time.Sleep(time.Minute)
		if err := b.op.SetFaults(idp.Fault{Name: "hang", On: "jwks"}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.VerifyLogoutToken(t.Context(), raw, &seen{}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if waited := time.Since(begun); waited != fetchTimeout {
				t.Errorf("waited %s, want %s", waited, fetchTimeout)
			}
		})
		synctest.Wait()
		wg.Go(func() { // one who joins it leaves when it wants
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := p.VerifyLogoutToken(ctx, raw, &seen{}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
			if waited := time.Since(begun); waited != time.Second {
				t.Errorf("waited %s, want 1s", waited)
			}
		})
		wg.Wait()
		// Until the interval is over nobody waits again, and it is still not the token's fault.
		begun = time.Now()
		if _, err := p.VerifyLogoutToken(t.Context(), raw, &seen{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("waited %s, want not at all", waited)
		}
	})
}

// Who asked first may leave: the others still get the keys.
func TestKeySet_fetchOutlivesWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		p := discovered(t, b.cfg)
		if err := b.op.RotateKeys(true); err != nil {
			t.Fatal(err)
		}
		raw := b.token(t)
		time.Sleep(time.Minute)
		if err := b.op.SetFaults(idp.Fault{Name: "slow", On: "jwks", Arg: "3s"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.VerifyLogoutToken(ctx, raw, &seen{}); err != nil {
			t.Errorf("its own fetch failed: %v", err)
		}
	})
}

// signed makes a token and its key set; change edits the key's members before it is published.
func signed(t *testing.T, kid string, change func(map[string]any)) (*jose.JSONWebSignature, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if jws, err = jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256}); err != nil {
		t.Fatal(err)
	}
	public, err := (&jose.JSONWebKey{Key: key.Public(), KeyID: kid}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(public, &members); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(members)
	}
	set, err := json.Marshal(map[string]any{"keys": []any{members}})
	if err != nil {
		t.Fatal(err)
	}
	return jws, set
}

func TestKeySet_keyMustSuit(t *testing.T) {
	for _, tt := range []struct {
		name, kid string
		change    func(map[string]any)
		want      error
	}{
		{"sound", "k", nil, nil},
		{"for signatures", "k", func(m map[string]any) { m["use"], m["alg"] = "sig", "ES256" }, nil},
		{"without a name", "", nil, nil},
		{"token without a name", "", func(m map[string]any) { m["kid"] = "k" }, nil},
		{"of another algorithm", "k", func(m map[string]any) { m["alg"] = "ES384" }, errSignature},
		{"for encryption", "k", func(m map[string]any) { m["use"] = "enc" }, ErrUnavailable},
		{"of a symmetric algorithm", "k", func(m map[string]any) { m["alg"] = "HS256" }, ErrUnavailable},
		{"of another name", "k", func(m map[string]any) { m["kid"] = "other" }, errUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			jws, set := signed(t, tt.kid, tt.change)
			c := newClock()
			k := &keySet{now: c.now, get: func(context.Context) ([]byte, error) { return set, nil }, changed: func(context.Context) {}}
			payload, err := k.verify(t.Context(), jws)
			if !errors.Is(err, tt.want) || (tt.want == nil && string(payload) != "payload") {
				t.Errorf("got %q, %v, want %v", payload, err, tt.want)
			}
		})
	}
}

// Keys that nobody has confirmed for a day may have been withdrawn.
func TestKeySet_doesNotBelieveOldKeys(t *testing.T) {
	jws, set := signed(t, "k", nil)
	c := newClock()
	down := errors.New("down")
	k := &keySet{now: c.now, get: func(context.Context) ([]byte, error) { return nil, down }, changed: func(context.Context) {}}
	if err := k.restore(set, c.now()); err != nil {
		t.Fatal(err)
	}
	c.add(maxStale)
	if _, err := k.verify(t.Context(), jws); err != nil {
		t.Errorf("after %s: %v", maxStale, err)
	}
	c.add(time.Second)
	if _, err := k.verify(t.Context(), jws); !errors.Is(err, ErrUnavailable) || !errors.Is(err, down) {
		t.Errorf("after more than %s got %v, want ErrUnavailable", maxStale, err)
	}
	k.get = func(context.Context) ([]byte, error) { return set, nil }
	c.add(refetchInterval)
	if _, err := k.verify(t.Context(), jws); err != nil {
		t.Errorf("fetched again: %v", err)
	}
}

func TestReadKeys_passesOver(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := `{"kty":"OKP","crv":"Ed25519","x":"` + b64(public) + `"}`
	for name, key := range map[string]string{
		"symmetric":    `{"kty":"oct","k":"c2VjcmV0"}`,
		"unknown kind": `{"kty":"PQC","pub":"AAAA"}`,
		"private":      `{"kty":"OKP","crv":"Ed25519","x":"` + b64(public) + `","d":"` + b64(private.Seed()) + `"}`,
		"weak RSA":     `{"kty":"RSA","e":"AQAB","n":"` + b64([]byte(strings.Repeat("\xff", 128))) + `"}`,
		"broken":       `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`,
		"no object":    `7`,
	} {
		if keys, err := readKeys([]byte(`{"keys":[` + key + `,` + good + `]}`)); err != nil || len(keys) != 1 {
			t.Errorf("%s: got %d keys, %v, want the good one", name, len(keys), err)
		}
		if _, err := readKeys([]byte(`{"keys":[` + key + `]}`)); err == nil {
			t.Errorf("%s: accepted alone", name)
		}
	}
	for _, raw := range []string{"", "[]", "{}", `{"keys":[]}`, `{"keys":{}}`} {
		if _, err := readKeys([]byte(raw)); err == nil {
			t.Errorf("%q: accepted", raw)
		}
	}
}
