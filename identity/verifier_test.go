package identity_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

var ann = identity.Identity{
	Subject: "corp:ann", IDP: "https://login.example.com", IDPSubject: "ann", SessionID: "9f2c",
	ACR: "urn:mfa", AuthTime: start.Add(-time.Hour), Groups: []string{"staff", "admins"},
	Claims: map[string]any{"email": "ann@example.com", "name": "Ann ✓ <b>"}, Source: identity.FromSession,
}

func TestVerify_returnsWhatWasSigned(t *testing.T) {
	e := newEdge(t)
	everything := ann
	everything.Claims = map[string]any{
		"email": "ann@example.com", "verified": true, "level": json.Number("9007199254740993"),
		"ratio": json.Number("0.5"), "tags": []any{"a", "b"},
	}
	signed := everything
	signed.Claims = maps.Clone(everything.Claims)
	signed.Claims["tags"] = []string{"a", "b"}

	for name, tc := range map[string]struct{ give, want identity.Identity }{
		"a person":              {give: ann, want: ann},
		"every type of claim":   {give: signed, want: everything},
		"a subject and no more": {give: identity.Identity{Subject: "bob"}, want: identity.Identity{Subject: "bob"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.Issuer = "gatehouse"
			got, err := e.verifier.Verify(t.Context(), e.sign(t, tc.give))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %#v\nwant %#v", got, tc.want)
			}
		})
	}
}

func TestVerify_refuses(t *testing.T) {
	e := newEdge(t)
	header, payload := e.header(), e.payload(nil)
	good := e.forge(header, payload)
	if _, err := e.verifier.Verify(t.Context(), good); err != nil {
		t.Fatalf("the token that the others are made from: %v", err)
	}
	_, stranger := newKey(t)
	kid := e.keyring.KeyID()
	public := e.public
	with := func(name string, value any) string { return e.forge(header, e.payload(map[string]any{name: value})) }
	now := start.Unix()

	for name, token := range map[string]string{
		"nothing":                     "",
		"two parts":                   good[:strings.LastIndexByte(good, '.')],
		"four parts":                  good + ".e30",
		"five parts, as a JWE":        good + ".e30.e30",
		"an empty signature":          good[:strings.LastIndexByte(good, '.')+1],
		"an empty payload":            e.forge(header, ""),
		"padding":                     good + "=",
		"a trailing line break":       good + "\n",
		"a line break inside":         good[:20] + "\n" + good[20:],
		"a leading space":             " " + good,
		"the Bearer scheme":           "Bearer " + good,
		"standard base64":             strings.Replace(good, ".", "+.", 1),
		"trailing bits":               respell(good),
		"more than 16 KiB":            with("name", strings.Repeat("x", identity.MaxTokenSize)),
		"alg none, no signature":      encode([]byte(`{"alg":"none","kid":"`+kid+`","typ":"gh-id+jwt"}`)) + "." + encode([]byte(payload)) + ".",
		"alg none, signed":            e.forge(`{"alg":"none","kid":"`+kid+`","typ":"gh-id+jwt"}`, payload),
		"alg eddsa in lower case":     e.forge(`{"alg":"eddsa","kid":"`+kid+`","typ":"gh-id+jwt"}`, payload),
		"HS256 with the public key":   hs256(kid, public, payload),
		"HS256 named, signed by us":   e.forge(`{"alg":"HS256","kid":"`+kid+`","typ":"gh-id+jwt"}`, payload),
		"typ JWT":                     e.forge(`{"alg":"EdDSA","kid":"`+kid+`","typ":"JWT"}`, payload),
		"typ at+jwt":                  e.forge(`{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, payload),
		"no typ":                      e.forge(`{"alg":"EdDSA","kid":"`+kid+`"}`, payload),
		"no kid":                      e.forge(`{"alg":"EdDSA","typ":"gh-id+jwt"}`, payload),
		"kid a number":                e.forge(`{"alg":"EdDSA","kid":1,"typ":"gh-id+jwt"}`, payload),
		"unknown kid":                 e.forge(`{"alg":"EdDSA","kid":"`+stranger+`","typ":"gh-id+jwt"}`, payload),
		"crit":                        e.forge(header[:len(header)-1]+`,"crit":["exp"]}`, payload),
		"a key brought along":         e.forge(header[:len(header)-1]+`,"jwk":{}}`, payload),
		"duplicate alg":               e.forge(`{"alg":"EdDSA","alg":"EdDSA","kid":"`+kid+`","typ":"gh-id+jwt"}`, payload),
		"duplicate kid":               e.forge(`{"alg":"EdDSA","kid":"x","kid":"`+kid+`","typ":"gh-id+jwt"}`, payload),
		"Alg beside alg":              e.forge(`{"Alg":"none",`+header[1:], payload),
		"garbage after the header":    e.forge(header+"x", payload),
		"a second object in the body": e.forge(header, payload+"{}"),
		"garbage after the payload":   e.forge(header, payload+" x"),
		"a payload that is a list":    e.forge(header, "["+payload+"]"),
		"a payload cut short":         e.forge(header, payload[:len(payload)-1]),
		"a payload not in UTF-8":      e.forge(header, strings.Replace(payload, "ann", "a\xff", 1)),
		"duplicate sub":               e.forge(header, `{"sub":"corp:root",`+payload[1:]),
		"duplicate sub, escaped":      e.forge(header, `{"s\u0075b":"corp:root",`+payload[1:]),
		"a claim that is an object":   with("address", map[string]any{}),
		"an object in a claim":        with("address", []any{1, map[string]any{}}),
		"a list in a list":            with("address", []any{[]any{}}),
		"a claim that is null":        e.forge(header, `{"email":null,`+payload[1:]),
		"colons that are no members":  e.forge(header, `{"x":["::","\\\":"],"x":[{"a":1}],`+payload[1:]),
		"no issuer":                   with("iss", nil),
		"another issuer":              with("iss", "gatehouse2"),
		"an issuer by prefix":         with("iss", "gatehouse "),
		"no audience":                 with("aud", nil),
		"another audience":            with("aud", "backend"),
		"a list of audiences":         with("aud", []string{"app", "backend"}),
		"no exp":                      with("exp", nil),
		"exp a text":                  with("exp", "99999999999"),
		"exp a fraction":              with("exp", float64(now)+60.5),
		"exp null":                    e.forge(header, strings.Replace(payload, `"exp":`, `"exp":null,"x":`, 1)),
		"exp past all time":           with("exp", int64(1)<<62),
		"exp in scientific notation":  e.forge(header, strings.Replace(payload, `"exp":`, `"exp":1e12,"x":`, 1)),
		"expired":                     with("exp", now-5),
		"no iat":                      with("iat", nil),
		"iat in the future":           with("iat", now+6),
		"iat negative":                with("iat", -1),
		"nbf in the future":           with("nbf", now+6),
		"no subject":                  with("sub", nil),
		"an empty subject":            with("sub", ""),
		"a subject that is a number":  with("sub", 7),
		"a subject that is a list":    with("sub", []string{"corp:ann"}),
		"groups that are a text":      with("groups", "admins"),
		"groups that hold a number":   with("groups", []any{"a", 1}),
		"groups that hold nothing":    with("groups", []any{"a", nil}),
		"auth_time a text":            with("auth_time", "now"),
		"sid a number":                with("sid", 5),
		"junk after the header":       e.forgeParts(encode([]byte(header))+"*", encode([]byte(payload))),
		"junk after the payload":      e.forgeParts(encode([]byte(header)), encode([]byte(payload+"  "[:(3-len(payload)%3)%3]))+"*"),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := e.verifier.Verify(t.Context(), token)
			if !errors.Is(err, identity.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			if !reflect.DeepEqual(id, identity.Identity{}) {
				t.Errorf("an identity came with the error: %#v", id)
			}
			if len(token) > 40 && strings.Contains(err.Error(), token[len(token)-20:]) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

func TestVerify_allowsFiveSecondsBetweenClocks(t *testing.T) {
	e := newEdge(t)
	token := e.sign(t, ann)
	for _, tc := range []struct {
		at   time.Duration
		good bool
	}{
		{-6 * time.Second, false}, {-5 * time.Second, true}, {0, true}, {64 * time.Second, true},
		{64*time.Second + 999*time.Millisecond, true}, {65 * time.Second, false}, {time.Hour, false},
	} {
		e.at = start.Add(tc.at)
		if _, err := e.verifier.Verify(t.Context(), token); (err == nil) != tc.good {
			t.Errorf("%s after it was signed: %v, want good = %v", tc.at, err, tc.good)
		}
	}
}

// No character of a token can be exchanged, left out or doubled: there is one spelling of it.
func TestVerify_refusesEveryChangedCharacter(t *testing.T) {
	e := newEdge(t)
	token := e.sign(t, identity.Identity{Subject: "u"})
	for i := range len(token) {
		for _, changed := range []string{
			token[:i] + flip(token[i]) + token[i+1:],
			token[:i] + token[i+1:],
			token[:i] + token[i:i+1] + token[i:],
		} {
			if changed == token {
				continue
			}
			if _, err := e.verifier.Verify(t.Context(), changed); !errors.Is(err, identity.ErrInvalid) {
				t.Fatalf("changed at %d of %d: got %v, want ErrInvalid", i, len(token), err)
			}
		}
	}
}

// go-jose reads what we write, writes what we read, and names keys as we do.
func TestVerify_agreesWithGoJose(t *testing.T) {
	e := newEdge(t)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(e.keyring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0].KeyID != e.keyring.KeyID() || set.Keys[0].Use != "sig" || !set.Keys[0].IsPublic() {
		t.Fatalf("published set: %s", e.keyring.JWKS())
	}

	parsed, err := jwt.ParseSigned(e.sign(t, ann), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(set, &claims); err != nil {
		t.Fatal(err)
	}
	expected := jwt.Expected{Issuer: "gatehouse", AnyAudience: jwt.Audience{"app"}, Subject: "corp:ann", Time: start}
	if err := claims.ValidateWithLeeway(expected, 0); err != nil {
		t.Error(err)
	}

	options := (&jose.SignerOptions{}).WithType("gh-id+jwt").WithHeader("kid", e.keyring.KeyID())
	theirs, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: e.private}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := theirs.Sign([]byte(e.payload(nil)))
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.verifier.Verify(t.Context(), token); err != nil || got.Subject != "corp:ann" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNewVerifier_refusesToAcceptAnything(t *testing.T) {
	keys := identity.KeysFromFile("jwks.json")
	for name, config := range map[string]identity.VerifierConfig{
		"issuer":   {Audience: "app", Keys: keys},
		"audience": {Issuer: "gatehouse", Keys: keys},
		"keys":     {Issuer: "gatehouse", Audience: "app"},
	} {
		if _, err := identity.NewVerifier(config); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	e := newEdge(f)
	good := e.sign(f, ann)
	f.Add(good)
	f.Add(e.forge(e.header(), e.payload(nil)))
	f.Add(hs256(e.keyring.KeyID(), e.public, e.payload(nil)))
	f.Add("e30.e30.e30")
	f.Add("")
	f.Add("..")
	known := map[string]bool{good: true, e.forge(e.header(), e.payload(nil)): true}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := e.verifier.Verify(t.Context(), token); (err == nil) != known[token] {
			t.Errorf("%q: %v", token, err)
		}
	})
}

// FuzzVerify_payload lets the fuzzer write what the edge's own key signs: the reader behind the
// signature is strict too.
func FuzzVerify_payload(f *testing.F) {
	e := newEdge(f)
	f.Add(e.header(), e.payload(nil))
	f.Add(e.header(), e.payload(map[string]any{"groups": []string{"a"}, "auth_time": 5, "email": "a@b", "x": []any{1, true, nil}}))
	f.Add(e.header(), `{"a":{"b":[{}]},"a":1}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := e.forge(header, payload)
		id, err := e.verifier.Verify(t.Context(), token)
		if err != nil {
			if !errors.Is(err, identity.ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
			return
		}
		var lax struct {
			Alg string `json:"alg"`
			Kid string `json:"kid"`
			Typ string `json:"typ"`
		}
		if json.Unmarshal([]byte(header), &lax) != nil || lax.Alg != "EdDSA" || lax.Typ != "gh-id+jwt" || lax.Kid != e.keyring.KeyID() {
			t.Errorf("accepted the header %q", header)
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(payload), &claims); err != nil || claims["sub"] != id.Subject || id.Subject == "" || id.Issuer != "gatehouse" {
			t.Errorf("accepted %q as %#v", payload, id)
		}
	})
}

// respell changes only the bits of a token's last character that base64 does not use.
func respell(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func hs256(kid string, public ed25519.PublicKey, payload string) string {
	signed := encode([]byte(`{"alg":"HS256","kid":"`+kid+`","typ":"gh-id+jwt"}`)) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// A token that was good is remembered; everything that can change is validated again.
func TestVerify_judgesAKnownTokenAgain(t *testing.T) {
	e := newEdge(t)
	p := newPublisher(t, e.keyring.JWKS())
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: p.keys(t, e.clock), Now: e.now})
	if err != nil {
		t.Fatal(err)
	}
	longLived := *e.signer
	longLived.TTL = time.Hour
	assertion, err := longLived.Sign(identity.Identity{
		Subject: "corp:ann", Groups: []string{"staff"}, Claims: map[string]any{"tags": []string{"a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	verify := func() (identity.Identity, error) { return verifier.Verify(t.Context(), assertion.Token) }

	// What one caller does to its identity the next one does not see.
	for range 2 {
		id, err := verify()
		if err != nil || id.Groups[0] != "staff" || len(id.Claims) != 1 || !reflect.DeepEqual(id.Claims["tags"], []any{"a"}) {
			t.Fatalf("got %#v, %v", id, err)
		}
		id.Groups[0] = "admins"
		id.Claims["tags"].([]any)[0] = "b"
		id.Claims["role"] = "root"
	}
	p.serve(newEdge(t).keyring.JWKS())
	e.at = start.Add(2 * time.Minute)
	if _, err := verify(); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("with its key withdrawn: got %v, want ErrInvalid", err)
	}
}

func TestVerify_judgesTheTimesOfAKnownTokenAgain(t *testing.T) {
	e := newEdge(t)
	token := e.sign(t, ann)
	for _, tc := range []struct {
		at   time.Duration
		good bool
	}{{0, true}, {65 * time.Second, false}, {-6 * time.Second, false}, {time.Second, true}} {
		e.at = start.Add(tc.at)
		if _, err := e.verifier.Verify(t.Context(), token); (err == nil) != tc.good {
			t.Errorf("%s after it was signed: %v, want good = %v", tc.at, err, tc.good)
		}
	}
}
