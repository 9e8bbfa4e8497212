package session

import (
	"slices"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// stringList is a claim with several values. As text it has commas between them.
type stringList []string

// String implements fmt.Stringer, which Caddy's replacer uses.
func (w stringList) String() string { return strings.Join(w, ",") }

// userID returns the user id of a session, as user_id says. It is false if the session does not carry the claim now.
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

// keeps reports whether the claim is published as a placeholder. A session also stores the claims of
// `allow`, which are not published.
func (p *provider) keeps(claim string) bool { return slices.Contains(p.claims, claim) }

// keepsGroups reports whether the groups are published as a placeholder.
func (p *provider) keepsGroups() bool { return slices.Contains(p.config.Claims, claimGroups) }

// identity returns what a session stores of an authenticated user.
func (p *provider) identity(who *oidc.Identity) sessions.Identity {
	id := sessions.Identity{
		Provider: who.Provider, Issuer: who.Issuer, ClientID: p.config.ClientID, Subject: who.Subject, ProviderSession: who.SessionID,
		ACR: who.ACR, AMR: who.AMR, AuthTime: who.AuthTime,
	}
	if p.keepsGroups() || p.config.allowsBy(claimGroups) {
		id.Groups = who.Groups
	}
	for _, name := range p.stored {
		if values := who.Claims.Values(name); len(values) > 0 {
			id.Claims = append(id.Claims, sessions.Claim{Name: name, Values: values})
		}
	}
	return id
}

// allows reports whether allow admits the user, and if not, the claim that decides it.
func (p *provider) allows(who *oidc.Identity) (claim string, ok bool) {
	for _, q := range p.config.Allow {
		have := who.Claims.Values(q.Claim)
		if !slices.ContainsFunc(have, func(v string) bool { return slices.Contains(q.Values, v) }) {
			return q.Claim, false
		}
	}
	return "", true
}
