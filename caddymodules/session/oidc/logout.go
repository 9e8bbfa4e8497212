package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// EndSessionURL is where the browser is sent to end its session at the provider too (OpenID Connect
// RP-Initiated Logout 1.0), or ErrNoEndSession. The ID token and the address may be empty; the
// provider then asks the person, or keeps them.
func (p *Provider) EndSessionURL(idToken, postLogoutRedirectURI, state string) (string, error) {
	m, err := p.endpoints()
	if err != nil {
		return "", err
	}
	if m.EndSessionURL == "" {
		return "", fmt.Errorf("provider %q: %w", p.cfg.Name, ErrNoEndSession)
	}
	u, err := url.Parse(m.EndSessionURL)
	if err != nil {
		return "", fmt.Errorf("provider %q: %w", p.cfg.Name, err)
	}
	q := u.Query()
	q.Set("client_id", p.cfg.ClientID)
	for name, value := range map[string]string{
		"id_token_hint": idToken, "post_logout_redirect_uri": postLogoutRedirectURI, "state": state,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Once remembers what was used.
type Once interface {
	// Once reports whether key was never given before, and remembers it for ttl.
	Once(ctx context.Context, key string, ttl time.Duration) (first bool, err error)
}

// LogoutToken says that a session at the provider has ended. SessionID, Subject or both are set.
type LogoutToken struct {
	Issuer    string
	SessionID string // this session
	Subject   string // without SessionID: all sessions of this subject
	IssuedAt  time.Time
	// OnceKey is what [Once] has remembered. Who cannot carry out the logout forgets it again, so that
	// the provider may repeat its call.
	OnceKey string
}

const (
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutAge is how old a logout token may be; its jti is remembered for longer.
	maxLogoutAge = 5 * time.Minute
	onceFor      = 15 * time.Minute
	// maxLogoutBody bounds a provider's call, in bytes.
	maxLogoutBody = 16 << 10
)

// ReadLogoutToken takes the token out of a provider's call: POST, form-encoded, at most 16 KiB.
func ReadLogoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	const what = "logout request"
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method != http.MethodPost || err != nil || kind != "application/x-www-form-urlencoded" {
		return "", reject(what, ReasonMalformed, "%s with content type %q, a form is expected", r.Method, clip(r.Header.Get("Content-Type")))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		return "", reject(what, ReasonMalformed, "%v", err)
	}
	if tokens := r.PostForm["logout_token"]; len(tokens) == 1 && tokens[0] != "" {
		return tokens[0], nil
	}
	return "", reject(what, ReasonMalformed, "there is not one logout_token")
}

// VerifyLogoutToken verifies a token of a provider's call (OpenID Connect Back-Channel Logout 1.0, 2.6).
// Each is good once. Errors are a *RejectedError, ErrUnavailable, or that of once.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string, once Once) (LogoutToken, error) {
	t, err := p.verifyJWT(ctx, "logout token", raw)
	if err != nil {
		return LogoutToken{}, err
	}
	if t.typ != "" && t.typ != "jwt" && t.typ != "logout+jwt" {
		return LogoutToken{}, t.reject(ReasonType, "typ is %q", clip(t.typ))
	}
	if err := checkEvent(t); err != nil {
		return LogoutToken{}, err
	}
	if _, ok := t.claims["nonce"]; ok {
		return LogoutToken{}, t.reject(ReasonNonce, "there is a nonce, as in an ID token")
	}
	sid, sub := t.claims.text("sid"), t.claims.text("sub")
	if sid == "" && sub == "" {
		return LogoutToken{}, t.reject(ReasonSession, "there is neither sid nor sub")
	}
	token, err := p.verifier(t, p.cfg.ClientID).VerifyLogout(ctx, t.raw)
	if err != nil {
		return LogoutToken{}, p.refused(t, p.cfg.ClientID, err)
	}
	if err := t.exact(token.Issuer, token.Subject, token.Audience); err != nil {
		return LogoutToken{}, err
	}
	if token.SessionID != sid || token.TokenID != t.claims.text("jti") {
		return LogoutToken{}, t.reject(ReasonMalformed, "a claim is there in a second spelling")
	}
	if err := p.checkTimes(t); err != nil {
		return LogoutToken{}, err
	}
	iat, ok, _ := t.claims.moment("iat")
	if !ok {
		return LogoutToken{}, t.reject(ReasonMalformed, "iat is missing")
	}
	if now := p.now(); now.Sub(iat) > maxLogoutAge+p.cfg.Leeway {
		return LogoutToken{}, t.reject(ReasonTime, "issued at %s, it is %s", utc(iat), utc(now))
	}
	sum := sha256.Sum256([]byte(p.cfg.Issuer + "\x00" + token.TokenID))
	l := LogoutToken{Issuer: p.cfg.Issuer, SessionID: sid, Subject: sub, IssuedAt: iat, OnceKey: hex.EncodeToString(sum[:16])}
	// Last, so that nobody spends the id of a token without having it.
	first, err := once.Once(ctx, l.OnceKey, onceFor)
	if err != nil {
		return LogoutToken{}, fmt.Errorf("remember logout token: %w", err)
	}
	if !first {
		return LogoutToken{}, t.reject(ReasonReplay, "jti %q was used before", clip(token.TokenID))
	}
	return l, nil
}

// checkEvent looks for the logout event: an object, as a member of the object events.
func checkEvent(t *jwt) error {
	var events map[string]json.RawMessage
	var event map[string]json.RawMessage
	err := json.Unmarshal(t.claims["events"], &events)
	if err == nil {
		if err = json.Unmarshal(events[logoutEvent], &event); err == nil && event == nil {
			err = errors.New("it is null")
		}
	}
	if err != nil {
		return t.reject(ReasonEvent, "events has no object %s: %v", logoutEvent, err)
	}
	return nil
}
