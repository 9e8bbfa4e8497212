package identity_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

func BenchmarkSign(b *testing.B) {
	e := newEdge(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.signer.Sign(ann); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign_goJose(b *testing.B) {
	e := newEdge(b)
	options := (&jose.SignerOptions{}).WithType("gh-id+jwt").WithHeader("kid", e.keyring.KeyID())
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: e.private}, options)
	if err != nil {
		b.Fatal(err)
	}
	claims := map[string]any{
		"iss": "gatehouse", "aud": "app", "iat": start.Unix(), "exp": start.Unix() + 60, "sub": ann.Subject, "idp": ann.IDP,
		"idp_sub": ann.IDPSubject, "sid": ann.SessionID, "groups": ann.Groups, "email": ann.Claims["email"], "name": ann.Claims["name"],
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwt.Signed(signer).Claims(claims).Serialize(); err != nil {
			b.Fatal(err)
		}
	}
}

// The edge sends one assertion for 30 s: all but the first time it is known.
func BenchmarkVerify_again(b *testing.B) {
	e := newEdge(b)
	token := e.sign(b, ann)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.verifier.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify_first(b *testing.B) {
	e := newEdge(b)
	tokens := make([]string, 0, b.N)
	for i := range b.N {
		id := ann
		id.Subject = strconv.Itoa(i)
		tokens = append(tokens, e.sign(b, id))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, token := range tokens {
		if _, err := e.verifier.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify_goJose(b *testing.B) {
	e := newEdge(b)
	token := e.sign(b, ann)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(e.keyring.JWKS(), &set); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			b.Fatal(err)
		}
		var claims jwt.Claims
		var more map[string]any
		if err := parsed.Claims(set, &claims, &more); err != nil {
			b.Fatal(err)
		}
		if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: "gatehouse", AnyAudience: jwt.Audience{"app"}, Time: start}, identity.Leeway); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStrip_nothingToDo(b *testing.B) {
	names := identity.NewNames("Remote-User", "X-Request-Id")
	r := &http.Request{Header: http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Accept-Language": {"en"}, "Cache-Control": {"no-cache"}, "Cookie": {"a=b"},
		"Connection": {"keep-alive"}, "Dnt": {"1"}, "Pragma": {"no-cache"}, "Referer": {"https://app.example/"}, "Sec-Fetch-Dest": {"empty"},
		"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}, "User-Agent": {"x"}, "X-Requested-With": {"x"},
	}}
	b.ReportAllocs()
	for b.Loop() {
		names.Strip(r)
	}
}
