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
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// fuzzed is a relying party whose provider exists in this process alone.
func fuzzed(f *testing.F) (*Provider, *clock, *idp.Provider) {
	f.Helper()
	c := newClock()
	op, err := idp.New(idp.Config{Issuer: "https://idp.example", Now: c.now, Clients: []idp.Client{{ID: "app", RedirectURIs: []string{redirectURI}}}})
	if err != nil {
		f.Fatal(err)
	}
	p, err := New(Config{
		Name: "corp", Issuer: op.Issuer(), ClientID: "app", Now: c.now, HTTPClient: &http.Client{Transport: &wire{handler: op}},
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := p.refresh(context.Background()); err != nil {
		f.Fatal(err)
	}
	return p, c, op
}

// FuzzVerifyLogoutToken feeds raw tokens: nothing but what the provider has signed is accepted.
func FuzzVerifyLogoutToken(f *testing.F) {
	p, _, op := fuzzed(f)
	good, err := op.LogoutToken("app", "adam", "s1")
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, "", ".", "..", "a.b.c", parts[0] + ".." + parts[2], parts[0] + "." + parts[1] + ".", good + ".x", `{"payload":"` + parts[1] + `"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := p.VerifyLogoutToken(t.Context(), raw, &seen{})
		var rejected *RejectedError
		switch {
		case err == nil && raw != good:
			t.Errorf("%q was accepted: %+v", raw, token)
		case err != nil && !errors.As(err, &rejected) && !errors.Is(err, ErrUnavailable):
			t.Errorf("%q: an error of no kind: %v", raw, err)
		}
	})
}

// FuzzVerifyLogoutToken_claims feeds claims that are well signed: whatever is accepted must hold what
// a logout token must hold, read by exact names.
func FuzzVerifyLogoutToken_claims(f *testing.F) {
	p, c, op := fuzzed(f)
	raw, err := op.LogoutToken("app", "adam", "s1")
	if err != nil {
		f.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		f.Fatal(err)
	}
	sign := signer(f, p)
	f.Add(string(claims))
	for _, change := range [][2]string{
		{`"sub"`, `"Sub"`}, {`"sid"`, `"SID"`}, {`"jti"`, `"JTI"`}, {`"iat"`, `"IAT"`}, {`"events"`, `"Events"`}, {`"aud"`, `"AUD"`},
		{`{}`, `null`}, {`{}`, `[]`}, {`"app"`, `["app","b"]`}, {`"app"`, `null`}, {`"iat":`, `"nonce":null,"iat":`}, {`"s1"`, `""`}, {`"exp":`, `"exp":-`},
	} {
		f.Add(strings.Replace(string(claims), change[0], change[1], 1))
	}
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := p.VerifyLogoutToken(t.Context(), sign(t, claims), &seen{})
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(claims), &m); err != nil {
			t.Fatalf("%q: accepted, but no JSON: %v", claims, err)
		}
		var events map[string]map[string]any
		_ = json.Unmarshal(m["events"], &events)
		var iat float64
		_ = json.Unmarshal(m["iat"], &iat)
		age := c.now().Sub(time.Unix(int64(iat), 0))
		if events[logoutEvent] == nil || m["nonce"] != nil || m["jti"] == nil || m["exp"] == nil || string(m["iss"]) != `"https://idp.example"` ||
			(token.SessionID == "" && token.Subject == "") || age > maxLogoutAge+p.cfg.Leeway || age < -futureNBF {
			t.Fatalf("%q: accepted as %+v", claims, token)
		}
	})
}

// signer replaces the provider's keys by one of its own and signs with it.
func signer(f *testing.F, p *Provider) func(testing.TB, string) string {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	p.keys.keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: "own"}}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "own"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	return func(t testing.TB, claims string) string {
		t.Helper()
		jws, err := s.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

// FuzzReadMetadata feeds discovery documents: an accepted one leads to no address that is less safe than its issuer.
func FuzzReadMetadata(f *testing.F) {
	const good = `{"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/a","token_endpoint":"https://idp.example/t","jwks_uri":"https://idp.example/k","userinfo_endpoint":"https://idp.example/u"`
	for _, seed := range []string{
		good + `}`, good + `,"end_session_endpoint":"http://idp.example/e"}`, good + `,"id_token_signing_alg_values_supported":["none","HS256"]}`,
		good + `,"id_token_signing_alg_values_supported":["ES256","none"]}`, good + `,"Issuer":"https://evil.example"}`, good + `,"token_endpoint":"https://a@b/"}`,
		good + `,"jwks_uri":"file:///k"}`, good + `,"code_challenge_methods_supported":["plain"]}`, good + `,"response_modes_supported":["fragment"]}`, `null`, `[]`, `{"issuer":1}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, secret := range []string{"", "hush"} {
			m, err := readMetadata(raw, &Config{Issuer: "https://idp.example", ClientSecret: secret, UserInfo: true})
			if err != nil {
				continue
			}
			if m.Issuer != "https://idp.example" || len(m.signing) == 0 {
				t.Fatalf("%q: accepted as %+v", raw, m)
			}
			for _, alg := range m.signing {
				if !slices.Contains(asymmetric, string(alg)) {
					t.Fatalf("%q: %s is accepted", raw, alg)
				}
			}
			for _, address := range []string{m.AuthURL, m.TokenURL, m.KeysURL, m.UserInfoURL, m.EndSessionURL} {
				u, err := url.Parse(address)
				if err != nil || (address != "" && (u.Scheme != "https" || u.Host == "" || u.User != nil)) || (address == "" && m.EndSessionURL != "") {
					t.Fatalf("%q: %q is accepted", raw, address)
				}
			}
		}
	})
}

// FuzzVerifyIDToken feeds raw ID tokens: only what the provider signed is accepted. The key is always the same, so that
// each process of the fuzzing engine accepts the seed.
func FuzzVerifyIDToken(f *testing.F) {
	p, c, _ := fuzzed(f)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	p.keys.keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: "own"}}
	p.meta.signing = []jose.SignatureAlgorithm{jose.EdDSA}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: "own"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	jws, err := s.Sign([]byte(idTokenClaims(c)))
	if err != nil {
		f.Fatal(err)
	}
	good, err := jws.CompactSerialize()
	if err != nil {
		f.Fatal(err)
	}
	if _, err := p.verifyIDToken(f.Context(), Tokens{ID: good}); err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, "", "..", "a.b.c", parts[0] + "." + parts[1] + ".", "eyJhbGciOiJub25lIn0." + parts[1] + ".", good + ".x", " " + good, good + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := p.verifyIDToken(t.Context(), Tokens{ID: raw})
		var rejected *RejectedError
		switch {
		case err == nil && decoded(raw) != decoded(good):
			t.Errorf("%q was accepted", raw)
		case err != nil && !errors.As(err, &rejected) && !errors.Is(err, ErrUnavailable):
			t.Errorf("%q: an error of no kind: %v", raw, err)
		}
	})
}

// decoded is what the parts of a token stand for: the last character of base64 has bits that mean nothing.
func decoded(raw string) string {
	parts := strings.Split(raw, ".")
	for i, part := range parts {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return raw
		}
		parts[i] = string(b)
	}
	return strings.Join(parts, ".")
}

// FuzzVerifyIDToken_claims feeds claims with a good signature: an accepted token satisfies OpenID Connect Core, 3.1.3.7,
// read by exact names.
func FuzzVerifyIDToken_claims(f *testing.F) {
	p, c, _ := fuzzed(f)
	sign := signer(f, p)
	claims := idTokenClaims(c)
	f.Add(claims)
	for _, change := range [][2]string{
		{`"sub"`, `"Sub"`}, {`"iss"`, `"ISS"`}, {`"aud"`, `"Aud"`}, {`"exp":`, `"exp":-`}, {`"exp":`, `"EXP":`}, {`"app"`, `["app","b"]`},
		{`"app"`, `["b"]`}, {`"app"`, `[]`}, {`"adam"`, `""`}, {`"adam"`, `"a\u0000"`}, {`"iat":`, `"iat":1e300,"x":`}, {`"iat":`, `"azp":"b","iat":`}, {`"iat":`, `"sub":"eve","iat":`},
	} {
		f.Add(strings.Replace(claims, change[0], change[1], 1))
	}
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := p.verifyIDToken(t.Context(), Tokens{ID: sign(t, claims)})
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(claims), &m); err != nil {
			t.Fatalf("%q: accepted, but no JSON: %v", claims, err)
		}
		var sub, azp string
		_ = json.Unmarshal(m["sub"], &sub)
		_ = json.Unmarshal(m["azp"], &azp)
		var exp float64
		_ = json.Unmarshal(m["exp"], &exp)
		audience := Claims(m).Values("aud")
		if Claims(m).text("iss") != "https://idp.example" || !usableSubject(sub) || !slices.Contains(audience, "app") ||
			(len(audience) > 1 && azp != "app") || !c.now().Before(time.Unix(int64(exp), 0).Add(p.cfg.Leeway)) {
			t.Fatalf("%q: accepted as %s", claims, token.payload)
		}
	})
}

// FuzzIdentity_userinfo feeds userinfo answers: they add claims, and change nothing that the ID token must say itself.
func FuzzIdentity_userinfo(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"adam"}`, `{"sub":"eve","iss":"https://evil.example","sid":"s2","acr":"high","amr":["otp"],"auth_time":9}`, `null`, `[]`, ``, `{"email":"adam@example.test"}`,
		`{"email":"a@b","email_verified":true}`, `{"email":"a@b","email_verified":"true"}`, `{"email_verified":true}`, `{"Email_Verified":true,"email":"a@b"}`, `{"email":null,"groups":[1,{},"x"]}`,
	} {
		f.Add(seed)
	}
	p, _, _ := fuzzed(f)
	token := Claims{}
	for name, value := range map[string]string{"sub": `"adam"`, "sid": `"s1"`, "acr": `"low"`, "auth_time": `7`, "email": `"unverified@example.test"`} {
		token[name] = json.RawMessage(value)
	}
	want := p.identity(token, nil)
	f.Fuzz(func(t *testing.T, raw string) {
		userinfo, err := readClaims([]byte(raw))
		if err != nil {
			return
		}
		got := p.identity(token, userinfo)
		if got.Issuer != want.Issuer || got.Subject != "adam" || got.SessionID != "s1" || got.ACR != "low" || got.AMR != nil || !got.AuthTime.Equal(want.AuthTime) {
			t.Fatalf("%q: changed the identity to %+v", raw, got)
		}
		if got.Email != "" && (!userinfo.has("email") || !slices.Contains(userinfo.Values("email_verified"), "true")) {
			t.Fatalf("%q: e-mail %q is not verified", raw, got.Email)
		}
		if got.Email == "" && got.Claims.has("email") {
			t.Fatalf("%q: an e-mail that is not verified is among the claims", raw)
		}
	})
}

// idTokenClaims are the claims of an ID token that is accepted.
func idTokenClaims(c *clock) string {
	now := c.now().Unix()
	return fmt.Sprintf(`{"iss":"https://idp.example","sub":"adam","aud":"app","exp":%d,"iat":%d}`, now+300, now)
}
