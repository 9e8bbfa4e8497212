package idp

import (
	"strings"
	"time"
)

// signUnknown signs with a key that is in no key set, under its own name.
func signUnknown(k signingKey, typ string, payload []byte) (string, error) {
	other, err := newSigningKey(string(k.alg))
	if err != nil {
		return "", err
	}
	return signJWS(other, typ, payload)
}

// signWrong signs with that key under the name of the published one.
func signWrong(k signingKey, typ string, payload []byte) (string, error) {
	other, err := newSigningKey(string(k.alg))
	if err != nil {
		return "", err
	}
	other.id = k.id
	return signJWS(other, typ, payload)
}

// signOther joins a good signature to other claims.
func signOther(k signingKey, typ string, payload []byte) (string, error) {
	good, err := signJWS(k, typ, payload)
	if err != nil {
		return "", err
	}
	other, err := signJWS(k, typ, []byte(`{}`))
	if err != nil {
		return "", err
	}
	return good[:strings.LastIndexByte(good, '.')] + other[strings.LastIndexByte(other, '.'):], nil
}

func extraAudience(_ *Provider, d *draft, _ string) {
	d.claims["aud"] = []any{d.claims["aud"], "another-client"}
}

// skew moves every time of a token: what a wrong clock does.
func skew(_ *Provider, d *draft, arg string) {
	by := int64(duration(arg, 10*time.Minute).Seconds())
	for _, claim := range []string{"iat", "exp", "auth_time", "nbf"} {
		if t, ok := d.claims[claim].(int64); ok {
			d.claims[claim] = t + by
		}
	}
}

func neither(_ *Provider, d *draft, _ string) {
	delete(d.claims, "sid")
	delete(d.claims, "sub")
}

func wrongType(_ *Provider, d *draft, _ string) {
	switch d.kind {
	case logoutToken:
		d.typ = "JWT+other"
	default:
		d.typ = "logout+jwt"
	}
}

func replay(p *Provider, d *draft, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastJTI != "" {
		d.claims["jti"] = p.lastJTI
	}
}

// looksLikeID gives a logout token the claims of an ID token and takes the event away.
func looksLikeID(_ *Provider, d *draft, _ string) {
	d.typ = "JWT"
	delete(d.claims, "events")
	d.claims["nonce"], d.claims["auth_time"] = "a-nonce", d.claims["iat"]
}

// shadow adds a subject under a name that is "sub" to a reader who ignores case, as encoding/json
// does for structs: ſ is a small s. It comes last in the token, so such a reader takes it.
func shadow(_ *Provider, d *draft, _ string) { d.claims["ſub"] = "somebody-else" }
