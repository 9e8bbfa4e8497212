package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Kinds of tokens, as [Fault.On] names them.
const (
	idToken     = "id"
	accessToken = "access"
	logoutToken = "logout"
)

// draft is a token before it is signed: what faults change.
type draft struct {
	kind   string
	typ    string
	claims map[string]any
	// sign makes the compact form of the claims' JSON.
	sign func(k signingKey, typ string, payload []byte) (string, error)
}

// issue applies the faults in force and signs.
func (p *Provider) issue(kind, typ string, claims map[string]any) (string, error) {
	d := &draft{kind: kind, typ: typ, claims: claims, sign: signJWS}
	for _, f := range p.hit(kind, keyOf(tokenFaults)) {
		tokenFaults[f.Name].apply(p, d, f.Arg)
	}
	payload, err := json.Marshal(d.claims)
	if err != nil {
		return "", fmt.Errorf("encode %s token: %w", kind, err)
	}
	return d.sign(p.keys.current(), d.typ, payload)
}

// idTokenFor tells the client of g who signed in. Access binds the ID token to its access token.
func (p *Provider) idTokenFor(g *grant, nonce, access string) (string, error) {
	now := p.now()
	claims := map[string]any{
		"iss": p.issuer, "sub": g.session.user.Subject, "aud": g.client.ID,
		"iat": now.Unix(), "exp": now.Add(p.life).Unix(), "auth_time": g.session.authTime.Unix(),
		"acr": g.session.acr, "amr": methods(g.session.acr), "sid": g.session.id,
		"at_hash": halfHash(p.keys.alg, access),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	maps.Copy(claims, userClaims(g.session.user, g.scope))
	return p.issue(idToken, "JWT", claims)
}

// accessTokenFor makes a JWT access token (RFC 9068), so that a resource can judge it alone.
func (p *Provider) accessTokenFor(g *grant) (string, error) {
	now := p.now()
	aud := g.client.Audience
	if aud == "" {
		aud = p.issuer
	}
	jti := randomString(16)
	p.mu.Lock()
	p.access[jti] = g
	p.mu.Unlock()
	claims := map[string]any{
		"iss": p.issuer, "sub": g.session.user.Subject, "aud": aud, "client_id": g.client.ID,
		"iat": now.Unix(), "exp": now.Add(p.life).Unix(), "jti": jti, "scope": strings.Join(g.scope, " "),
		"auth_time": g.session.authTime.Unix(), "acr": g.session.acr,
	}
	if len(g.session.user.Groups) > 0 {
		claims["groups"] = g.session.user.Groups
	}
	return p.issue(accessToken, "at+jwt", claims)
}

// LogoutToken makes the token that tells a client that a session ended (OpenID Connect Back-Channel
// Logout 1.0, 2.4), without sending it. An empty subject or sid is left out.
func (p *Provider) LogoutToken(clientID, subject, sid string) (string, error) {
	now := p.now()
	claims := map[string]any{
		"iss": p.issuer, "aud": clientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": randomString(16), "events": map[string]any{logoutEvent: map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if sid != "" {
		claims["sid"] = sid
	}
	token, err := p.issue(logoutToken, "logout+jwt", claims)
	if jti, ok := claims["jti"].(string); ok {
		p.mu.Lock()
		p.lastJTI = jti
		p.mu.Unlock()
	}
	return token, err
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// userClaims are those that the granted scopes open.
func userClaims(u User, scope []string) map[string]any {
	claims := map[string]any{}
	if slices.Contains(scope, "profile") {
		claims["name"], claims["preferred_username"] = u.Name, u.Subject
	}
	if slices.Contains(scope, "email") && u.Email != "" {
		claims["email"], claims["email_verified"] = u.Email, u.Verified
	}
	if len(u.Groups) > 0 && (slices.Contains(scope, "profile") || slices.Contains(scope, "groups")) {
		claims["groups"] = u.Groups
	}
	return claims
}

func signJWS(k signingKey, typ string, payload []byte) (string, error) {
	return signWith(k.alg, jose.JSONWebKey{Key: k.private, KeyID: k.id}, typ, payload)
}

// signHMAC uses the public key, which everybody has, as the secret of an HMAC: a verifier that lets
// the token's header choose the algorithm takes it for good.
func signHMAC(k signingKey, typ string, payload []byte) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return "", err
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return signWith(jose.HS256, jose.JSONWebKey{Key: secret, KeyID: k.id}, typ, payload)
}

func signNone(_ signingKey, typ string, payload []byte) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "none", "typ": typ})
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload) + ".", err
}

func signWith(alg jose.SignatureAlgorithm, key jose.JSONWebKey, typ string, payload []byte) (string, error) {
	opts := &jose.SignerOptions{}
	if typ != "" {
		opts = opts.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// halfHash is at_hash (OpenID Connect Core, 3.1.3.6): Ed25519 hashes with SHA-512, the others here
// with SHA-256.
func halfHash(alg, token string) string {
	if alg == string(jose.EdDSA) {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

func randomString(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}
