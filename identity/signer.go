package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

const (
	// tokenType is the `typ` of an assertion, so that no other JWT of the same key passes for one.
	tokenType = "gh-id+jwt" //nolint:gosec // a name, not a credential
	// algorithm is the only one there is.
	algorithm = "EdDSA"
	// MaxTokenSize bounds an assertion, in bytes. Many servers refuse more than 16 KiB of headers.
	MaxTokenSize = 16 << 10
)

// Signer makes assertions for one upstream. The zero value is of no use; all fields are needed.
type Signer struct {
	Keyring *Keyring
	// Issuer and Audience are what the upstream expects: this edge, and the upstream's own name.
	Issuer   string
	Audience string
	// TTL is how long an assertion is good, in whole seconds.
	TTL time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Assertion is a signed identity.
type Assertion struct {
	// Token is the compact JWT. It is a bearer token: it must not be logged.
	Token string
	// KeyID is the key that signed it.
	KeyID string
	// Renew is half its life on: who keeps assertions for reuse makes a new one from then.
	Renew time.Time
}

// payload is an assertion's fixed members, in the order in which they are written.
type payload struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	Subject    string   `json:"sub"`
	IDP        string   `json:"idp,omitempty"`
	IDPSubject string   `json:"idp_sub,omitempty"`
	SessionID  string   `json:"sid,omitempty"`
	ACR        string   `json:"acr,omitempty"`
	AuthTime   int64    `json:"auth_time,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	Source     Source   `json:"src,omitempty"`
}

// Sign makes an assertion of id. It refuses an identity without a subject, one that JSON could not
// carry exactly (two users must never share a text), and one whose token is over MaxTokenSize.
func (s *Signer) Sign(id Identity) (Assertion, error) {
	now := s.Now()
	body, err := s.encode(id, now)
	if err != nil {
		return Assertion{}, fmt.Errorf("sign identity: %w", err)
	}
	key := s.Keyring.current()
	encoding := base64.RawURLEncoding
	size := len(key.header) + 1 + encoding.EncodedLen(len(body)) + 1 + encoding.EncodedLen(ed25519.SignatureSize)
	if size > MaxTokenSize {
		return Assertion{}, fmt.Errorf("sign identity: the assertion would have %d bytes, at most %d are allowed: pass on fewer claims or groups", size, MaxTokenSize)
	}
	token := make([]byte, 0, size)
	token = append(token, key.header...)
	token = append(token, '.')
	token = encoding.AppendEncode(token, body)
	signature := ed25519.Sign(key.private, token)
	token = append(token, '.')
	token = encoding.AppendEncode(token, signature)
	return Assertion{Token: string(token), KeyID: key.id, Renew: now.Add(s.TTL / 2)}, nil
}

func (s *Signer) encode(id Identity, now time.Time) ([]byte, error) {
	if id.Subject == "" {
		return nil, errors.New("it has no subject")
	}
	p := payload{
		Issuer: s.Issuer, Audience: s.Audience,
		IssuedAt: now.Unix(), Expires: now.Add(s.TTL).Unix(),
		Subject: id.Subject, IDP: id.IDP, IDPSubject: id.IDPSubject, SessionID: id.SessionID,
		ACR: id.ACR, Groups: id.Groups, Source: id.Source,
	}
	if !id.AuthTime.IsZero() {
		p.AuthTime = id.AuthTime.Unix()
	}
	for _, text := range [...]string{p.Subject, p.IDP, p.IDPSubject, p.SessionID, p.ACR, string(p.Source)} {
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("%q is not UTF-8", text)
		}
	}
	for _, group := range p.Groups {
		if !utf8.ValidString(group) {
			return nil, fmt.Errorf("group %q is not UTF-8", group)
		}
	}
	for name, value := range id.Claims {
		if Reserved(name) {
			return nil, fmt.Errorf("claim %q is reserved", name)
		}
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("claim name %q is not UTF-8", name)
		}
		if err := checkClaim(value); err != nil {
			return nil, fmt.Errorf("claim %q %w", name, err)
		}
	}
	fixed, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if len(id.Claims) == 0 {
		return fixed, nil
	}
	claims, err := json.Marshal(id.Claims)
	if err != nil {
		return nil, err
	}
	// Two objects become one: the closing brace of the first and the opening one of the second go.
	joined := append(fixed[:len(fixed)-1], ',')
	return append(joined, claims[1:]...), nil
}

// checkClaim accepts strings, booleans, numbers, and lists of them.
func checkClaim(value any) error {
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) {
			return errors.New("is not UTF-8")
		}
	case bool, int, int64, float64, json.Number:
	case []string:
		for _, element := range v {
			if err := checkClaim(element); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			switch element.(type) {
			case []any, []string:
				return errors.New("is a list in a list: pass on a plain list")
			}
			if err := checkClaim(element); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("is a %T: pass on texts, numbers, booleans or lists of them", value)
	}
	return nil
}

// encodeHeader is a token's first part. Its members and their order are fixed, so it is made once a key.
func encodeHeader(keyID string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + algorithm + `","kid":"` + keyID + `","typ":"` + tokenType + `"}`))
}
