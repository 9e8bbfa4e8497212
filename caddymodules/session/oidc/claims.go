package oidc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Claims are the members of a token or of userinfo by their exact names. (Decoding into structs would
// take "SUB" for "sub".)
type Claims map[string]json.RawMessage

func readClaims(payload []byte) (Claims, error) {
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, fmt.Errorf("claims are %s, not an object", clip(string(payload)))
	}
	return c, nil
}

// has reports whether a claim is there and not null.
func (c Claims) has(name string) bool { return len(c[name]) > 0 && string(c[name]) != "null" }

// text returns a claim that is a string, otherwise "".
func (c Claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// moment returns a NumericDate (RFC 7519, 2). ok is false if the claim is not there; one that is no
// sensible number is an error.
func (c Claims) moment(name string) (t time.Time, ok bool, err error) {
	if !c.has(name) {
		return time.Time{}, false, nil
	}
	var seconds float64
	if err := json.Unmarshal(c[name], &seconds); err != nil {
		return time.Time{}, false, fmt.Errorf("%s: %w", name, err)
	}
	if math.Abs(seconds) > 1<<40 { // some 35,000 years
		return time.Time{}, false, fmt.Errorf("%s: %g is no time", name, seconds)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// Values returns what a claim says as text: itself, or the members of a list. Objects say nothing.
func (c Claims) Values(name string) []string {
	var v any
	d := json.NewDecoder(bytes.NewReader(c[name]))
	d.UseNumber() // a number of 17 digits is an id
	if d.Decode(&v) != nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var values []string
	for _, item := range list {
		switch item := item.(type) {
		case string:
			values = append(values, item)
		case json.Number:
			values = append(values, item.String())
		case bool:
			values = append(values, strconv.FormatBool(item))
		}
	}
	return values
}

// Identity is who somebody is, as the provider says.
type Identity struct {
	// Provider is its configured name, Issuer its configured issuer.
	Provider string
	Issuer   string
	// Subject is the provider's id of the person; never empty, never with control characters.
	Subject string
	// SessionID is the provider's session (sid), as logout tokens name it. It may be empty.
	SessionID string
	// ACR, AMR and AuthTime say how and when the person signed in at the provider. They may be empty.
	ACR      string
	AMR      []string
	AuthTime time.Time
	// Email is empty unless the provider has verified it.
	Email  string
	Name   string
	Groups []string
	// Claims are all of them. "email" is among them only if verified.
	Claims Claims
}

// protocol claims come from the signed token alone, never from userinfo.
var protocol = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time", "acr", "amr", "sid",
	"at_hash", "c_hash", "s_hash", "events",
}

// identity reads the claims of a verified token, completed by userinfo (nil: not asked).
func (p *Provider) identity(token, userinfo Claims) Identity {
	all := maps.Clone(token)
	for name, value := range userinfo {
		if !slices.Contains(protocol, name) && name != "email_verified" {
			all[name] = value
		}
	}
	if userinfo.has("email") {
		// Whether an address is verified is for that one to say whom the address is from.
		delete(all, "email_verified")
		if v, ok := userinfo["email_verified"]; ok {
			all["email_verified"] = v
		}
	}
	email := all.text("email")
	if !slices.Contains(all.Values("email_verified"), "true") || !plausibleEmail(email) {
		email = ""
		delete(all, "email")
	}
	authTime, _, _ := all.moment("auth_time")
	return Identity{
		Provider: p.cfg.Name, Issuer: p.cfg.Issuer, Subject: all.text("sub"), SessionID: all.text("sid"),
		ACR: all.text("acr"), AMR: all.Values("amr"), AuthTime: authTime,
		Email: email, Name: all.text("name"), Groups: all.Values("groups"), Claims: all,
	}
}

// plausibleEmail refuses what could be taken for an address at another domain than it is.
func plausibleEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) <= 254 && !strings.ContainsAny(domain, "@\"\\<>(),;:") && clean(s) &&
		!strings.ContainsFunc(s, unicode.IsSpace)
}

// maxSubject is the longest sub that OpenID Connect Core, 2 allows, in bytes.
const maxSubject = 255

// usableSubject reports whether sub can name somebody in headers, logs and keys.
func usableSubject(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxSubject && clean(s)
}

// clean text is valid and has no control characters.
func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
