package oidc

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func TestVerifyBearer(t *testing.T) {
	w := newWorld(t, nil)
	_, tokens := w.mustLogin(t, "adam")
	who, err := w.VerifyBearer(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	if who.Provider != "corp" || who.Issuer != w.op.Issuer() || who.Subject != "adam" || !slices.Equal(who.Groups, []string{"staff", "admins"}) {
		t.Errorf("got %+v", who)
	}
	t.Run("of the time before RFC 9068", func(t *testing.T) {
		w.fault(t, idp.Fault{Name: "plain_typ"})
		_, tokens := w.mustLogin(t, "adam")
		if _, err := w.VerifyBearer(t.Context(), tokens.Access); err != nil {
			t.Error(err)
		}
	})
}

func TestVerifyBearer_rejects(t *testing.T) {
	for _, tt := range []struct {
		fault  idp.Fault
		reason Reason
	}{
		{idp.Fault{Name: "wrong_iss", On: "access"}, ReasonIssuer},
		{idp.Fault{Name: "wrong_aud", On: "access"}, ReasonAudience},
		{idp.Fault{Name: "no_aud", On: "access"}, ReasonAudience},
		{idp.Fault{Name: "expired", On: "access"}, ReasonExpired},
		{idp.Fault{Name: "no_exp", On: "access"}, ReasonMalformed},
		{idp.Fault{Name: "nbf_future", On: "access"}, ReasonTime},
		{idp.Fault{Name: "no_sub", On: "access"}, ReasonSubject},
		{idp.Fault{Name: "control_sub", On: "access"}, ReasonSubject},
		{idp.Fault{Name: "alg_none", On: "access"}, ReasonAlgorithm},
		{idp.Fault{Name: "alg_hs256", On: "access"}, ReasonAlgorithm},
		{idp.Fault{Name: "unknown_key", On: "access"}, ReasonUnknownKey},
		{idp.Fault{Name: "bad_signature", On: "access"}, ReasonSignature},
		{idp.Fault{Name: "wrong_typ", On: "access"}, ReasonType},
		{idp.Fault{Name: "shadowed_claim", On: "access"}, ReasonMalformed},
	} {
		t.Run(tt.fault.Name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.fault)
			_, tokens := w.mustLogin(t, "adam")
			_, err := w.VerifyBearer(t.Context(), tokens.Access)
			wantReason(t, err, "access token", tt.reason)
		})
	}
	t.Run("garbage", func(t *testing.T) {
		w := newWorld(t, nil)
		for _, raw := range []string{"", "x", "a.b.c", `{"payload":"e30"}`} {
			_, err := w.VerifyBearer(t.Context(), raw)
			wantReason(t, err, "access token", ReasonMalformed)
		}
	})
	t.Run("off", func(t *testing.T) {
		w := newWorld(t, func(_ *idp.Config, c *Config) { c.Audiences = nil })
		_, tokens := w.mustLogin(t, "adam")
		_, err := w.VerifyBearer(t.Context(), tokens.Access)
		wantReason(t, err, "access token", ReasonAudience)
	})
	t.Run("provider not reached", func(t *testing.T) {
		w := newWorld(t, nil)
		_, tokens := w.mustLogin(t, "adam")
		p, err := New(w.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.VerifyBearer(t.Context(), tokens.Access); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

// An ID token says who signed in where. It is no key to an API, even one with the client's own name.
func TestVerifyBearer_idTokenIsNoAccessToken(t *testing.T) {
	w := newWorld(t, func(_ *idp.Config, c *Config) { c.Audiences = []string{"app"} })
	who, tokens := w.mustLogin(t, "adam")
	_, err := w.VerifyBearer(t.Context(), tokens.ID)
	wantReason(t, err, "access token", ReasonType)
	// One of a refresh has no nonce; one that lacks at_hash too is bound to nothing.
	w.fault(t, idp.Fault{Name: "no_nonce"})
	_, tokens, err = w.Refresh(t.Context(), tokens.Refresh, who)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.VerifyBearer(t.Context(), tokens.ID)
	wantReason(t, err, "access token", ReasonType)
	_, err = w.VerifyBearer(t.Context(), w.logoutToken(t, "adam", "s"))
	wantReason(t, err, "access token", ReasonType)
}

func TestIsAccessToken(t *testing.T) {
	for _, tt := range []struct {
		name, typ, claims string
		want              bool
	}{
		{"RFC 9068", "at+jwt", `{}`, true},
		{"Keycloak access token", "jwt", `{"typ":"Bearer","azp":"app","scope":"openid","sid":"s"}`, true},
		{"Keycloak ID token", "jwt", `{"typ":"ID","azp":"app","sid":"s","acr":"1"}`, false},
		{"Keycloak refresh token", "jwt", `{"typ":"Refresh","scope":"openid"}`, false},
		{"Entra access token", "jwt", `{"scp":"read","azp":"x","azpacr":"1"}`, true},
		{"Entra token of an app", "jwt", `{"roles":["a"],"azp":"x","azpacr":"1"}`, true},
		{"Cognito access token", "", `{"token_use":"access","client_id":"app"}`, true},
		{"Cognito ID token", "", `{"token_use":"id"}`, false},
		{"ID token", "jwt", `{"nonce":"n","scope":"openid"}`, false},
		{"ID token bound to an access token", "jwt", `{"at_hash":"h","scope":"openid"}`, false},
		{"ID token with nothing", "jwt", `{"auth_time":1,"azp":"app"}`, false},
		{"security event", "jwt", `{"events":{},"client_id":"app"}`, false},
		{"logout token", "logout+jwt", `{"scope":"x"}`, false},
	} {
		claims, err := readClaims([]byte(tt.claims))
		if err != nil {
			t.Fatal(err)
		}
		if got := (&jwt{typ: tt.typ, claims: claims}).isAccessToken(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestVerifyBearer_leeway(t *testing.T) {
	w := newWorld(t, nil)
	_, tokens := w.mustLogin(t, "adam")
	w.clock.add(5*time.Minute + 29*time.Second)
	if _, err := w.VerifyBearer(t.Context(), tokens.Access); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
	w.clock.add(time.Second)
	_, err := w.VerifyBearer(t.Context(), tokens.Access)
	wantReason(t, err, "access token", ReasonExpired)
}
