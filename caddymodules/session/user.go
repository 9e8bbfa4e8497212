package session

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

const userPlaceholder = "http.auth.user."

// words is a claim with several values; as text they are parted by commas.
type words []string

// String implements fmt.Stringer, which Caddy's replacer asks for a text.
func (w words) String() string { return strings.Join(w, ",") }

// userID is what the provider's user_id makes of a session; false if it cannot be known now.
func (p *provider) userID(s *sessions.Session) (string, bool) {
	switch p.config.UserID {
	case userIDProvider:
		return s.Provider + ":" + s.Subject, true
	case userIDSubject:
		return s.Subject, true
	}
	values := s.Claims.Values(p.config.UserID)
	if p.config.UserID == claimGroups {
		values = s.Groups
	}
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// publish sets the placeholders of who is signed in. They are set one by one and not looked up when
// asked for: what another handler has set before must not show through.
func (p *provider) publish(repl *caddy.Replacer, id string, s *sessions.Session) {
	repl.Set(userPlaceholder+"id", id)
	repl.Set(userPlaceholder+"sub", s.Subject)
	repl.Set(userPlaceholder+"iss", s.Issuer)
	repl.Set(userPlaceholder+"provider", s.Provider)
	repl.Set(userPlaceholder+"session", s.Selector.ID())
	repl.Set(userPlaceholder+"acr", s.ACR)
	authTime := ""
	if !s.AuthTime.IsZero() {
		authTime = strconv.FormatInt(s.AuthTime.Unix(), 10)
	}
	repl.Set(userPlaceholder+"auth_time", authTime)
	repl.Set(userPlaceholder+"groups", words(s.Groups))
	repl.Set(userPlaceholder+"email", "")
	repl.Set(userPlaceholder+"name", "")
	verified := ""
	for i, name := range p.claims {
		values := s.Claims.Values(name)
		switch len(values) {
		case 0:
			repl.Set(p.placeholders[i], "")
		case 1:
			repl.Set(p.placeholders[i], values[0])
		default:
			repl.Set(p.placeholders[i], words(values))
		}
		if name == "email" && len(values) == 1 {
			verified = "true" // the relying party keeps no other address
		}
	}
	repl.Set(userPlaceholder+"email_verified", verified)
}

// publishSource sets the placeholders that are always there.
func publishSource(repl *caddy.Replacer, v *sessions.Verdict) {
	repl.Set("http.session.source", v.Source.String())
	reason := ""
	if v.Standing != sessions.SignedIn {
		reason = v.Reason.String()
	}
	repl.Set("http.session.reason", reason)
}

// identity is what a session keeps of who has signed in.
func (p *provider) identity(who *oidc.Identity) sessions.Identity {
	id := sessions.Identity{
		Provider: who.Provider, Issuer: who.Issuer, Subject: who.Subject, ProviderSession: who.SessionID,
		ACR: who.ACR, AMR: who.AMR, AuthTime: who.AuthTime,
	}
	if slices.Contains(p.config.Claims, claimGroups) {
		id.Groups = who.Groups
	}
	for _, name := range p.claims {
		if values := who.Claims.Values(name); len(values) > 0 {
			id.Claims = append(id.Claims, sessions.Claim{Name: name, Values: values})
		}
	}
	return id
}

// allows says whether the provider's allow rules let somebody sign in, and if not, which claim is why.
func (p *provider) allows(who *oidc.Identity) (claim string, ok bool) {
	for _, q := range p.config.Allow {
		have := who.Claims.Values(q.Claim)
		if !slices.ContainsFunc(have, func(v string) bool { return slices.Contains(q.Values, v) }) {
			return q.Claim, false
		}
	}
	return "", true
}
