package oidc

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func claimsOf(t *testing.T, text string) Claims {
	t.Helper()
	c, err := readClaims([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadClaims_wantsAnObject(t *testing.T) {
	for _, raw := range []string{"", "null", "[]", `"x"`, "1", `{"a":1`} {
		if _, err := readClaims([]byte(raw)); err == nil {
			t.Errorf("%q: accepted", raw)
		}
	}
}

func TestClaims_Values(t *testing.T) {
	c := claimsOf(t, `{"s":"a","l":["a",1,true,null,{"x":1},["y"],"b"],"n":12345678901234567890,"b":false,"o":{"a":1},"z":null,"S":"other"}`)
	for name, want := range map[string][]string{
		"s": {"a"}, "l": {"a", "1", "true", "b"}, "n": {"12345678901234567890"}, "b": {"false"}, "o": nil, "z": nil, "absent": nil, "L": nil,
	} {
		if got := c.Values(name); !slices.Equal(got, want) {
			t.Errorf("Values(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestClaims_moment(t *testing.T) {
	for text, want := range map[string]time.Time{
		`1750000000`: time.Unix(1_750_000_000, 0), `1750000000.9`: time.Unix(1_750_000_000, 0), `1.75e9`: time.Unix(1_750_000_000, 0),
	} {
		if got, ok, err := claimsOf(t, `{"exp":`+text+`}`).moment("exp"); !got.Equal(want) || !ok || err != nil {
			t.Errorf("%s: got %s, %v, %v", text, got, ok, err)
		}
	}
	for _, text := range []string{`"1750000000"`, `1e300`, `-1e18`, `{}`, `true`} {
		if got, _, err := claimsOf(t, `{"exp":`+text+`}`).moment("exp"); err == nil {
			t.Errorf("%s: got %s, want an error", text, got)
		}
	}
	if _, ok, err := claimsOf(t, `{"exp":null}`).moment("exp"); ok || err != nil {
		t.Errorf("null: got %v, %v, want not there", ok, err)
	}
}

func TestIdentity_email(t *testing.T) {
	p := &Provider{cfg: Config{Name: "corp", Issuer: "https://idp.example"}}
	for _, tt := range []struct{ token, userinfo, want string }{
		{`{"email":"a@b.example","email_verified":true}`, ``, "a@b.example"},
		{`{"email":"a@b.example","email_verified":"true"}`, ``, "a@b.example"}, // Cognito
		{`{"email":"a@b.example","email_verified":false}`, ``, ""},
		{`{"email":"a@b.example","email_verified":"yes"}`, ``, ""},
		{`{"email":"a@b.example","email_verified":1}`, ``, ""},
		{`{"email":"a@b.example"}`, ``, ""},
		{`{"email_verified":true}`, ``, ""},
		{`{"email":["a@b.example"],"email_verified":true}`, ``, ""},
		{`{"email":"a@good@evil","email_verified":true}`, ``, ""},
		{`{"email":"@b","email_verified":true}`, ``, ""},
		{`{"email":"a@","email_verified":true}`, ``, ""},
		{`{"email":"a b@c","email_verified":true}`, ``, ""},
		{`{"email":"a@b\u0000","email_verified":true}`, ``, ""},
		{`{"email":"a@b,c","email_verified":true}`, ``, ""},
		{`{"email":"a@b>c","email_verified":true}`, ``, ""},
		{`{"email":"` + strings.Repeat("a", 255) + `@b","email_verified":true}`, ``, ""},
		{`{}`, `{"email":"u@b.example","email_verified":true}`, "u@b.example"},
		{`{"email":"a@b.example","email_verified":true}`, `{"email":"u@b.example"}`, ""},
		{`{"email":"a@b.example","email_verified":true}`, `{"name":"A"}`, "a@b.example"},
		{`{"email":"a@b.example"}`, `{"email_verified":true}`, ""},
	} {
		var info Claims
		if tt.userinfo != "" {
			info = claimsOf(t, tt.userinfo)
		}
		who := p.identity(claimsOf(t, tt.token), info)
		if who.Email != tt.want || who.Claims.has("email") != (tt.want != "") {
			t.Errorf("%s with userinfo %s: email %q, claim %s, want %q", tt.token, tt.userinfo, who.Email, who.Claims["email"], tt.want)
		}
	}
}

func TestUsableSubject(t *testing.T) {
	for sub, want := range map[string]bool{
		"a": true, "auth0|5f7c8ec7c33c6c004bbafe82": true, "jürgen": true, strings.Repeat("a", 255): true,
		"": false, " ": false, "\t": false, "a\x00": false, "a\nb": false, "a\u0085": false, "\xff": false, strings.Repeat("a", 256): false,
	} {
		if got := usableSubject(sub); got != want {
			t.Errorf("usableSubject(%q) = %v, want %v", sub, got, want)
		}
	}
}
