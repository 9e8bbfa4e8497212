package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// What is on the wire is a contract with upstreams in any language.
func TestSign_writesTheDocumentedMembers(t *testing.T) {
	e := newEdge(t)
	parts := strings.Split(e.sign(t, ann), ".")
	for i, want := range []string{
		`{"alg":"EdDSA","kid":"` + e.keyring.KeyID() + `","typ":"gh-id+jwt"}`,
		`{"iss":"gatehouse","aud":"app","iat":1772366400,"exp":1772366460,"sub":"corp:ann",` +
			`"idp":"https://login.example.com","idp_sub":"ann","sid":"9f2c","acr":"urn:mfa","auth_time":1772362800,` +
			`"groups":["staff","admins"],"src":"session","email":"ann@example.com","name":"Ann ✓ \u003cb\u003e"}`,
	} {
		got, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || string(got) != want {
			t.Errorf("part %d: got %s, want %s", i+1, got, want)
		}
	}
}

func TestSign_refuses(t *testing.T) {
	e := newEdge(t)
	for name, tc := range map[string]struct {
		give identity.Identity
		want string
	}{
		"no subject":              {identity.Identity{}, "no subject"},
		"a subject not in UTF-8":  {identity.Identity{Subject: "a\xff"}, "not UTF-8"},
		"a group not in UTF-8":    {identity.Identity{Subject: "a", Groups: []string{"\xff"}}, "not UTF-8"},
		"a claim not in UTF-8":    {claims("name", "\xff"), "not UTF-8"},
		"a list not in UTF-8":     {claims("name", []string{"\xff"}), "not UTF-8"},
		"a claim name not UTF-8":  {claims("\xff", "a"), "not UTF-8"},
		"a reserved claim":        {claims("sub", "root"), "reserved"},
		"a reserved claim's case": {claims("Sub", "root"), "reserved"},
		"a claim that is a map":   {claims("address", map[string]any{}), "map[string]interface {}"},
		"a list of lists":         {claims("x", []any{[]any{}}), "list in a list"},
		"too many groups":         {identity.Identity{Subject: "a", Groups: make([]string, 5000)}, "fewer claims or groups"},
		"one byte too many":       {claims("x", strings.Repeat("x", identity.MaxTokenSize*3/4)), "fewer claims or groups"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := e.signer.Sign(tc.give)
			if err == nil || !strings.Contains(err.Error(), tc.want) || got.Token != "" {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestSign_renewsAtHalfLife(t *testing.T) {
	e := newEdge(t)
	got, err := e.signer.Sign(ann)
	if err != nil || got.Renew != start.Add(30*time.Second) || got.KeyID != e.keyring.KeyID() {
		t.Errorf("got %v %q, %v", got.Renew, got.KeyID, err)
	}
}

// Whatever can be signed is verified as exactly that, and whatever cannot is refused by Sign.
func TestSign_property_roundTrip(t *testing.T) {
	e := newEdge(t)
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		alphabet := []rune("abc:/@\"\\<>&\u2028\u0000\n\ufffdé🙂 ,.{}[]")
		out := make([]rune, r.IntN(12))
		for i := range out {
			out[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(out)
	}
	for range 2000 {
		give := identity.Identity{
			Subject: text() + "s", IDP: text(), IDPSubject: text(), SessionID: text(), ACR: text(), Source: identity.Source(text()),
		}
		if r.IntN(2) == 0 {
			give.AuthTime = time.Unix(1+r.Int64N(1<<33), 0).UTC()
		}
		for range r.IntN(4) {
			give.Groups = append(give.Groups, text())
		}
		for range r.IntN(4) {
			if name := text(); !identity.Reserved(name) {
				if give.Claims == nil {
					give.Claims = map[string]any{}
				}
				give.Claims[name] = text()
			}
		}
		got, err := e.verifier.Verify(t.Context(), e.sign(t, give))
		give.Issuer = "gatehouse"
		if err != nil || !reflect.DeepEqual(got, give) {
			t.Fatalf("got %#v, %v\nwant %#v", got, err, give)
		}
	}
}

func TestReserved_coversEveryFixedMember(t *testing.T) {
	e := newEdge(t)
	full := ann
	full.Claims = nil
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(e.sign(t, full), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != 12 {
		t.Errorf("%d fixed members, of which the identity fills all: %v", len(members), members)
	}
	for name := range members {
		if !identity.Reserved(name) || !identity.Reserved(strings.ToUpper(name)) {
			t.Errorf("%q is not reserved", name)
		}
	}
}

func claims(name string, value any) identity.Identity {
	return identity.Identity{Subject: "a", Claims: map[string]any{name: value}}
}
