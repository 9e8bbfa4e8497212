package oidc

import (
	"context"
	"slices"
)

// VerifyBearer verifies an access token that a client sent, which must be a JWT for one of the
// configured audiences (RFC 9068, and its forerunners). Errors are a *RejectedError or ErrUnavailable.
func (p *Provider) VerifyBearer(ctx context.Context, raw string) (Identity, error) {
	const what = "access token"
	if len(p.cfg.Audiences) == 0 {
		return Identity{}, reject(what, ReasonAudience, "provider %q has no `audience`: bearer tokens are off", p.cfg.Name)
	}
	t, err := p.verifyJWT(ctx, what, raw)
	if err != nil {
		return Identity{}, err
	}
	if !t.isAccessToken() {
		return Identity{}, t.reject(ReasonType, "nothing says that this is an access token (typ %q)", clip(t.typ))
	}
	i := slices.IndexFunc(p.cfg.Audiences, func(a string) bool { return slices.Contains(t.claims.Values("aud"), a) })
	audience := p.cfg.Audiences[max(i, 0)]
	token, err := p.verifier(t, audience).Verify(ctx, raw)
	if err != nil {
		return Identity{}, p.refused(t, audience, err)
	}
	if err := t.exact(token.Issuer, token.Subject, token.Audience); err != nil {
		return Identity{}, err
	}
	if !usableSubject(token.Subject) {
		return Identity{}, t.reject(ReasonSubject, "sub is %q", clip(token.Subject))
	}
	if err := p.checkTimes(t); err != nil {
		return Identity{}, err
	}
	return p.identity(t.claims, nil), nil
}

// isAccessToken tells an access token from an ID token, which says who signed in at a client and
// gives nobody any access, even if its audience happens to fit. RFC 9068 settles it by typ. Before
// it, access tokens were known by what only they carry, and only ID tokens are bound to a login.
func (t *jwt) isAccessToken() bool {
	if t.typ == "at+jwt" {
		return true
	}
	if t.typ != "" && t.typ != "jwt" {
		return false
	}
	if slices.ContainsFunc([]string{"nonce", "at_hash", "c_hash", "s_hash", "events"}, t.claims.has) {
		return false
	}
	for _, name := range []string{"typ", "token_use"} { // Keycloak; Cognito
		switch t.claims.text(name) {
		case "Bearer", "access":
			return true
		case "ID", "id", "Refresh", "Offline", "Logout":
			return false
		}
	}
	// scope: RFC 9068; scp: Entra, Okta; the client's id: RFC 9068, Okta, Entra.
	return slices.ContainsFunc([]string{"scope", "scp", "client_id", "cid", "appid", "azpacr"}, t.claims.has)
}
