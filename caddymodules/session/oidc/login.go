package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Tokens are what the token endpoint gave. They print as nothing, so that no log has them.
type Tokens struct {
	Access  string
	Refresh string // empty: none
	ID      string // empty after a refresh that gave none
	// Expiry of the access token; zero: not told.
	Expiry time.Time
}

// String hides the tokens.
func (Tokens) String() string { return "tokens" }

// GoString hides the tokens.
func (Tokens) GoString() string { return "oidc.Tokens{}" }

// Login finishes f with the query of its callback: it checks the answer, exchanges the code and
// verifies who it is. Errors are a *RejectedError, the provider's own *ResponseError, ErrInvalidGrant
// (a code that was used or has expired) or ErrUnavailable.
func (p *Provider) Login(ctx context.Context, answer url.Values, f Flow, redirectURI string) (Identity, Tokens, error) {
	m, err := p.endpoints()
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	code, err := p.readAnswer(answer, f, m)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	got, err := p.oauth(m, redirectURI).Exchange(p.withClient(ctx), code, oauth2.VerifierOption(f.Verifier))
	tokens, err := p.readTokens(got, err)
	if err != nil {
		return Identity{}, Tokens{}, fmt.Errorf("exchange code: %w", err)
	}
	t, err := p.verifyIDToken(ctx, tokens)
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	if f.Nonce == "" || subtle.ConstantTimeCompare([]byte(t.claims.text("nonce")), []byte(f.Nonce)) != 1 {
		return Identity{}, Tokens{}, t.reject(ReasonNonce, "nonce is not that of the login under way")
	}
	if err := p.checkAuthTime(t, f); err != nil {
		return Identity{}, Tokens{}, err
	}
	who, err := p.complete(ctx, m, t, tokens)
	return who, tokens, err
}

// Refresh exchanges a refresh token for newer tokens; who is the person that it belongs to. The
// Identity is newer too if the provider sent an ID token and answers what is needed to verify it,
// otherwise it is who: the old refresh token is spent, so the new one must not be lost for that.
// Call once for each refresh token, over all nodes. Errors are those of Login.
func (p *Provider) Refresh(ctx context.Context, refreshToken string, who Identity) (Identity, Tokens, error) {
	m, err := p.endpoints()
	if err != nil {
		return Identity{}, Tokens{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	source := p.oauth(m, "").TokenSource(p.withClient(ctx), &oauth2.Token{RefreshToken: refreshToken})
	got, err := source.Token()
	tokens, err := p.readTokens(got, err)
	if err != nil {
		return Identity{}, Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	if tokens.ID == "" {
		return who, tokens, nil
	}
	newer, err := p.refreshed(ctx, m, tokens, who)
	switch {
	case errors.Is(err, ErrUnavailable):
		return who, tokens, nil
	case err != nil:
		return Identity{}, Tokens{}, err
	}
	return newer, tokens, nil
}

// refreshed reads the ID token of a refresh (OpenID Connect Core, 12.2).
func (p *Provider) refreshed(ctx context.Context, m *metadata, tokens Tokens, who Identity) (Identity, error) {
	t, err := p.verifyIDToken(ctx, tokens)
	if err != nil {
		return Identity{}, err
	}
	if t.claims.text("sub") != who.Subject {
		return Identity{}, t.reject(ReasonSubject, "refreshed for another subject than %q", who.Subject)
	}
	newer, err := p.complete(ctx, m, t, tokens)
	if newer.SessionID == "" {
		newer.SessionID = who.SessionID
	}
	return newer, err
}

func (p *Provider) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.client)
}

// readTokens validates an answer of the token endpoint.
func (p *Provider) readTokens(got *oauth2.Token, err error) (Tokens, error) {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		e := &EndpointError{Endpoint: "token", Code: clip(refused.ErrorCode), Description: clip(refused.ErrorDescription)}
		if refused.Response != nil {
			e.Status = refused.Response.StatusCode
		}
		return Tokens{}, e
	case err != nil:
		// It may be an address that did not answer, or an answer that is no JSON.
		return Tokens{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !strings.EqualFold(got.TokenType, "Bearer"):
		return Tokens{}, reject("token answer", ReasonType, "token_type is %q, not Bearer", clip(got.TokenType))
	}
	t := Tokens{Access: got.AccessToken, Refresh: got.RefreshToken}
	t.ID, _ = got.Extra("id_token").(string)
	if got.ExpiresIn > 0 {
		t.Expiry = p.now().Add(time.Duration(got.ExpiresIn) * time.Second)
	}
	return t, nil
}

// verifyIDToken checks an ID token that came from the token endpoint (OpenID Connect Core, 3.1.3.7),
// all but what depends on the flow.
func (p *Provider) verifyIDToken(ctx context.Context, tokens Tokens) (*jwt, error) {
	const what = "id token"
	if tokens.ID == "" {
		return nil, reject(what, ReasonMalformed, "the provider sent none: is openid among the scopes?")
	}
	t, err := p.verifyJWT(ctx, what, tokens.ID)
	if err != nil {
		return nil, err
	}
	// at+jwt, logout+jwt and their like (RFC 8725, 3.11); ID tokens have no such type.
	if strings.HasSuffix(t.typ, "+jwt") {
		return nil, t.reject(ReasonType, "typ is %q", clip(t.typ))
	}
	token, err := p.verifier(t, p.cfg.ClientID).Verify(ctx, t.raw)
	if err != nil {
		return nil, p.refused(t, p.cfg.ClientID, err)
	}
	if err := t.exact(token.Issuer, token.Subject, token.Audience); err != nil {
		return nil, err
	}
	if azp := t.claims.text("azp"); azp != p.cfg.ClientID && (t.claims.has("azp") || len(token.Audience) > 1) {
		return nil, t.reject(ReasonParty, "azp is %q, aud is %q", clip(azp), token.Audience)
	}
	if !usableSubject(token.Subject) {
		return nil, t.reject(ReasonSubject, "sub is %q", clip(token.Subject))
	}
	if err := p.checkTimes(t); err != nil {
		return nil, err
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.Access); err != nil {
			return nil, t.reject(ReasonAccessToken, "%v", err)
		}
	}
	return t, nil
}

// checkAuthTime holds the provider to the max_age that was asked.
func (p *Provider) checkAuthTime(t *jwt, f Flow) error {
	if f.MaxAge == nil {
		return nil
	}
	at, ok, err := t.claims.moment("auth_time")
	if err != nil || !ok {
		return t.reject(ReasonAuthTime, "auth_time is missing, though max_age was asked")
	}
	// Asked at f.Created, answered now: a person may take FlowLifetime over it.
	oldest := time.Unix(f.Created-*f.MaxAge, 0).Add(-p.cfg.Leeway)
	if at.Before(oldest) {
		return t.reject(ReasonAuthTime, "signed in at %s, max_age asked for %s or later", utc(at), utc(oldest))
	}
	return nil
}

// complete asks userinfo, if configured, and reads who it is.
func (p *Provider) complete(ctx context.Context, m *metadata, t *jwt, tokens Tokens) (Identity, error) {
	if !p.cfg.UserInfo {
		return p.identity(t.claims, nil), nil
	}
	const what = "userinfo"
	raw, err := fetch(ctx, p.client, m.UserInfoURL, http.Header{"Authorization": {"Bearer " + tokens.Access}})
	if err != nil {
		return Identity{}, fmt.Errorf("%s: %w", what, err)
	}
	claims, err := readClaims(raw)
	if err != nil {
		return Identity{}, reject(what, ReasonMalformed, "%v", err)
	}
	// OpenID Connect Core, 5.3.2: without this an access token of somebody else would do.
	if claims.text("sub") != t.claims.text("sub") {
		return Identity{}, reject(what, ReasonSubject, "sub is %q, the ID token's is %q", clip(claims.text("sub")), t.claims.text("sub"))
	}
	return p.identity(t.claims, claims), nil
}
