package identity

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity/recent"
)

// maxVerified bounds what a Verifier remembers, in bytes: about 6,000 assertions.
const maxVerified = 16 << 20

// Leeway is how far the clocks of edge and upstream may differ.
const Leeway = 5 * time.Second

var (
	// ErrInvalid says that an assertion proves nothing: it is malformed, forged, expired or meant
	// for somebody else.
	ErrInvalid = errors.New("identity assertion is not valid")
	// ErrKeysUnavailable says that the assertion could not be validated for want of the edge's keys.
	ErrKeysUnavailable = errors.New("identity keys are unavailable")
)

// PublicKeys finds the key that an assertion names. [KeySet] is one.
type PublicKeys interface {
	// PublicKey returns the key with this id. It returns ErrInvalid when the edge publishes no such
	// key, and ErrKeysUnavailable when that could not be found out.
	PublicKey(ctx context.Context, id string) (ed25519.PublicKey, error)
}

// VerifierConfig is what NewVerifier needs.
type VerifierConfig struct {
	// Issuer and Audience are what an assertion must say, exactly.
	Issuer   string
	Audience string
	Keys     PublicKeys
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Verifier validates assertions. It is safe for concurrent use.
type Verifier struct {
	issuer, audience string
	keys             PublicKeys
	now              func() time.Time
	verified         *recent.Map[*verified]
}

// verified is an assertion whose signature was found good. The edge sends the same one for half its
// life, so that remembering it saves nearly all of the work.
type verified struct {
	id              Identity
	keyID           string
	issued, expires time.Time
	notBefore       time.Time
}

// NewVerifier refuses a configuration that would accept assertions meant for others.
func NewVerifier(config VerifierConfig) (*Verifier, error) {
	switch {
	case config.Issuer == "":
		return nil, errors.New("identity verifier: issuer is empty: set it to the issuer of assert_identity")
	case config.Audience == "":
		return nil, errors.New("identity verifier: audience is empty: set it to the audience of assert_identity")
	case config.Keys == nil:
		return nil, errors.New("identity verifier: keys are missing: set them to KeysFromURL or KeysFromFile")
	}
	v := &Verifier{
		issuer: config.Issuer, audience: config.Audience, keys: config.Keys, now: config.Now,
		verified: recent.New[*verified](maxVerified),
	}
	if v.now == nil {
		v.now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return v, nil
}

// Verify returns the identity in a token. Errors are ErrInvalid and ErrKeysUnavailable, wrapped;
// they hold nothing of the token beyond what it claims of issuer, audience and times.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	known, ok := v.verified.Get(token)
	if ok {
		// Its key may have been withdrawn since.
		if _, err := v.keys.PublicKey(ctx, known.keyID); err != nil {
			return Identity{}, err
		}
	} else {
		var err error
		if known, err = v.open(ctx, token); err != nil {
			return Identity{}, err
		}
	}
	if err := known.validate(v.now()); err != nil {
		return Identity{}, err
	}
	if !ok {
		v.verified.Put(token, known, 3*len(token)+512) // the token, and what was read from it
	}
	return known.id.clone(), nil
}

// open checks all of a token that does not depend on the time.
func (v *Verifier) open(ctx context.Context, token string) (*verified, error) {
	head, body, signature, err := split(token)
	if err != nil {
		return nil, err
	}
	keyID, err := readHeader(head)
	if err != nil {
		return nil, err
	}
	key, err := v.keys.PublicKey(ctx, keyID)
	if err != nil {
		return nil, err
	}
	signed := token[:strings.LastIndexByte(token, '.')]
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(signed), signature) {
		return nil, invalid("its signature is wrong")
	}
	// From here on it is what the edge wrote.
	members, err := readObject(body)
	if err != nil {
		return nil, invalid("its payload is %v", err)
	}
	var issuer, audience string
	if !readText(members, "iss", &issuer) || issuer != v.issuer {
		return nil, invalid("its issuer is %q, not %q", issuer, v.issuer)
	}
	// One text, never a list: an assertion is for one upstream.
	if !readText(members, "aud", &audience) || audience != v.audience {
		return nil, invalid("its audience is %q, not %q", audience, v.audience)
	}
	opened := &verified{keyID: keyID}
	var ok bool
	if opened.issued, ok = readTime(members, "iat"); !ok {
		return nil, invalid("iat is missing or not a whole number of seconds")
	}
	if opened.expires, ok = readTime(members, "exp"); !ok {
		return nil, invalid("exp is missing or not a whole number of seconds")
	}
	if _, there := members["nbf"]; there {
		if opened.notBefore, ok = readTime(members, "nbf"); !ok {
			return nil, invalid("nbf is not a whole number of seconds")
		}
	}
	if opened.id, err = readIdentity(members); err != nil {
		return nil, err
	}
	return opened, nil
}

// validate reports whether an assertion is good at this moment.
func (a *verified) validate(now time.Time) error {
	switch {
	case a.issued.After(now.Add(Leeway)):
		return invalid("it was issued %s in the future: compare the clocks", a.issued.Sub(now).Round(time.Second))
	case !now.Before(a.expires.Add(Leeway)):
		return invalid("it expired %s ago", now.Sub(a.expires).Round(time.Second))
	case a.notBefore.After(now.Add(Leeway)):
		return invalid("it is not good before %s", a.notBefore)
	}
	return nil
}

// split takes the three parts of a compact JWS apart and decodes them.
func split(token string) (head, body, signature []byte, err error) {
	if len(token) > MaxTokenSize {
		return nil, nil, nil, invalid("it is longer than %d bytes", MaxTokenSize)
	}
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return nil, nil, nil, invalid("it has not three parts")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = decodePart(part); err != nil {
			return nil, nil, nil, err
		}
	}
	return decoded[0], decoded[1], decoded[2], nil
}

// decodePart decodes base64url in its one canonical form, so that no token has a second spelling.
func decodePart(part string) ([]byte, error) {
	// Go's decoder passes over line breaks.
	if strings.ContainsAny(part, "\r\n") {
		return nil, invalid("it has a line break in it")
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || len(data) == 0 {
		return nil, invalid("a part of it is not base64url")
	}
	return data, nil
}

// readHeader returns the key id. The header has exactly the three members that the edge writes: what
// RFC 7515 section 4 offers beyond them (jwk, jku, x5u, crit, …) has led verifiers astray.
func readHeader(head []byte) (keyID string, err error) {
	members, err := readObject(head)
	if err != nil {
		return "", invalid("its header is %v", err)
	}
	var alg, typ string
	if len(members) != 3 || !readText(members, "alg", &alg) || !readText(members, "kid", &keyID) || !readText(members, "typ", &typ) {
		return "", invalid("its header has other members than alg, kid and typ")
	}
	if alg != algorithm {
		return "", invalid("its algorithm is not %s", algorithm)
	}
	if typ != tokenType {
		return "", invalid("its type is not %s", tokenType)
	}
	return keyID, nil
}

func readIdentity(members map[string]json.RawMessage) (Identity, error) {
	var id Identity
	var source string
	texts := []struct {
		name string
		to   *string
	}{
		{"sub", &id.Subject}, {"iss", &id.Issuer}, {"idp", &id.IDP}, {"idp_sub", &id.IDPSubject},
		{"sid", &id.SessionID}, {"acr", &id.ACR}, {"src", &source},
	}
	for _, text := range texts {
		if _, there := members[text.name]; there && !readText(members, text.name, text.to) {
			return Identity{}, invalid("%s is not a text", text.name)
		}
	}
	if id.Subject == "" {
		return Identity{}, invalid("it has no subject")
	}
	id.Source = Source(source)
	if _, there := members["auth_time"]; there {
		var ok bool
		if id.AuthTime, ok = readTime(members, "auth_time"); !ok {
			return Identity{}, invalid("auth_time is not a whole number of seconds")
		}
	}
	if raw, there := members["groups"]; there && !readTexts(raw, &id.Groups) {
		return Identity{}, invalid("groups is not a list of texts")
	}
	for name, raw := range members {
		if Reserved(name) {
			continue
		}
		if id.Claims == nil {
			id.Claims = make(map[string]any)
		}
		value, err := readClaim(raw)
		if err != nil {
			return Identity{}, invalid("claim %q %v", name, err)
		}
		id.Claims[name] = value
	}
	return id, nil
}

// clone gives each caller lists of its own.
func (id Identity) clone() Identity {
	id.Groups = slices.Clone(id.Groups)
	id.Claims = maps.Clone(id.Claims)
	for name, value := range id.Claims {
		if list, ok := value.([]any); ok {
			id.Claims[name] = slices.Clone(list)
		}
	}
	return id
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

var _ PublicKeys = (*KeySet)(nil)
