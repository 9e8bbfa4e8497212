package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// maxToken bounds a token that anybody can send, in bytes.
const maxToken = 32 << 10

// futureNBF is how far ahead nbf may be: what providers need whose clock is a little fast.
const futureNBF = 5 * time.Minute

// jwt is a token whose signature is good.
type jwt struct {
	raw     string
	what    string // for errors
	typ     string // lower case, without "application/"
	payload []byte
	claims  Claims
	algs    []jose.SignatureAlgorithm
}

// verifyJWT checks form, algorithm and signature.
func (p *Provider) verifyJWT(ctx context.Context, what, raw string) (*jwt, error) {
	m, err := p.endpoints()
	if err != nil {
		return nil, err
	}
	if len(raw) > maxToken {
		return nil, reject(what, ReasonMalformed, "%d bytes are too many", len(raw))
	}
	jws, err := jose.ParseSignedCompact(raw, m.signing)
	var unexpected *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &unexpected) && unexpected.Got != "":
		return nil, reject(what, ReasonAlgorithm, "signed with %q, the provider announced %v", clip(string(unexpected.Got)), m.signing)
	case err != nil:
		return nil, reject(what, ReasonMalformed, "%v", err)
	}
	payload, err := p.keys.verify(ctx, jws)
	switch {
	case errors.Is(err, errSignature):
		return nil, reject(what, ReasonSignature, "%v", err)
	case errors.Is(err, errUnknownKey):
		return nil, reject(what, ReasonUnknownKey, "%v: %q", err, clip(jws.Signatures[0].Header.KeyID))
	case err != nil:
		return nil, err
	}
	claims, err := readClaims(payload)
	if err != nil {
		return nil, reject(what, ReasonMalformed, "%v", err)
	}
	typ, _ := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return &jwt{raw: raw, what: what, typ: typ, payload: payload, claims: claims, algs: m.signing}, nil
}

func (t *jwt) reject(reason Reason, format string, args ...any) error {
	return reject(t.what, reason, format, args...)
}

// verifier is go-oidc's for one audience. Expiry is ours, for its leeway.
func (p *Provider) verifier(t *jwt, audience string) *gooidc.IDTokenVerifier {
	c := &gooidc.Config{ClientID: audience, SkipExpiryCheck: true, Now: p.now}
	for _, alg := range t.algs {
		c.SupportedSigningAlgs = append(c.SupportedSigningAlgs, string(alg))
	}
	return gooidc.NewVerifier(p.cfg.Issuer, verified{t.payload}, c)
}

// verified is the key set of a token whose signature has been checked: go-oidc would lose the error
// that tells a bad signature from a provider that does not answer.
type verified struct{ payload []byte }

// VerifySignature returns the payload that the signature was found good for.
func (v verified) VerifySignature(context.Context, string) ([]byte, error) { return v.payload, nil }

// refused gives a reason to an error of go-oidc, which has no types for them.
func (p *Provider) refused(t *jwt, audience string, err error) error {
	switch {
	case t.claims.text("iss") != p.cfg.Issuer:
		return t.reject(ReasonIssuer, "%v", err)
	case !slices.Contains(t.claims.Values("aud"), audience):
		return t.reject(ReasonAudience, "%v", err)
	}
	return t.reject(ReasonMalformed, "%v", err)
}

// exact refuses a token in which go-oidc, which ignores the case of names, has read other claims than
// we do.
func (t *jwt) exact(issuer, subject string, audience []string) error {
	if t.claims.text("iss") != issuer || t.claims.text("sub") != subject || !slices.Equal(t.claims.Values("aud"), audience) {
		return t.reject(ReasonMalformed, "a claim is there in a second spelling")
	}
	return nil
}

// checkTimes validates exp, which must be there, nbf and iat.
func (p *Provider) checkTimes(t *jwt) error {
	now := p.now()
	exp, ok, err := t.claims.moment("exp")
	switch {
	case err != nil || !ok:
		return t.reject(ReasonMalformed, "exp is missing or no time")
	case !now.Before(exp.Add(p.cfg.Leeway)):
		return t.reject(ReasonExpired, "expired at %s, it is %s", utc(exp), utc(now))
	}
	nbf, ok, err := t.claims.moment("nbf")
	switch {
	case err != nil:
		return t.reject(ReasonMalformed, "%v", err)
	case ok && nbf.After(now.Add(futureNBF)):
		return t.reject(ReasonTime, "not valid before %s, it is %s", utc(nbf), utc(now))
	}
	iat, ok, err := t.claims.moment("iat")
	switch {
	case err != nil:
		return t.reject(ReasonMalformed, "%v", err)
	case ok && iat.After(now.Add(futureNBF)):
		return t.reject(ReasonTime, "issued at %s, it is %s: compare the clocks", utc(iat), utc(now))
	}
	return nil
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
