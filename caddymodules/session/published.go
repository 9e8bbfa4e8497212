package session

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

const (
	sourcePlaceholder = "http.session.source"
	reasonPlaceholder = "http.session.reason"
	userPlaceholder   = "http.auth.user."

	// publishedVar is the variable of a request that holds its placeholders. assert_identity reads it too.
	publishedVar = "session.published"
)

// published answers the placeholders of a request. They are made up when they are asked for: a request
// has some fifteen of them, and most ask for two or three.
type published struct {
	source sessions.Source
	reason string
	// session is nil until somebody is signed in; then provider and id are theirs.
	session  *sessions.Session
	provider *provider
	id       string
}

// publish sets the placeholders that are always there. A second handler of the same request speaks for
// the first as well.
func publish(r *http.Request, v *sessions.Verdict) *published {
	u, again := caddyhttp.GetVar(r.Context(), publishedVar).(*published)
	if !again {
		u = new(published)
		caddyhttp.SetVar(r.Context(), publishedVar, u)
		replacer(r).Map(u.Placeholder)
	}
	u.source, u.reason = v.Source, ""
	if v.Status != sessions.SignedIn {
		u.reason = v.Reason.String()
	}
	return u
}

// signIn sets the placeholders of who is signed in. What another handler has set of them before, such as
// basic_auth, must not show through.
func (u *published) signIn(r *http.Request, p *provider, id string, s *sessions.Session) {
	replacer(r).DeleteByPrefix(userPlaceholder)
	u.session, u.provider, u.id = s, p, id
}

// Placeholder is a caddy.ReplacerFunc. Handlers that need many placeholders find it in publishedVar and ask it
// directly.
func (u *published) Placeholder(key string) (any, bool) {
	switch {
	case key == sourcePlaceholder:
		return u.source.String(), true
	case key == reasonPlaceholder:
		return u.reason, true
	case u.session == nil:
		return nil, false
	}
	name, ours := strings.CutPrefix(key, userPlaceholder)
	if !ours {
		return nil, false
	}
	return u.user(name)
}

// user is a placeholder of who is signed in. One that the provider could fill and does not is empty.
func (u *published) user(name string) (any, bool) {
	s := u.session
	switch name {
	case "id":
		return u.id, true
	case "sub":
		return s.Subject, true
	case "iss":
		return s.Issuer, true
	case "provider":
		return s.Provider, true
	case "session":
		return s.Selector.ID(), true
	case "acr":
		return s.ACR, true
	case "auth_time":
		if s.AuthTime.IsZero() {
			return "", true
		}
		return strconv.FormatInt(s.AuthTime.Unix(), 10), true
	case claimGroups:
		if !u.provider.keepsGroups() {
			return stringList(nil), true
		}
		return stringList(s.Groups), true
	case "email_verified":
		if u.provider.keeps("email") && len(s.Claims.Values("email")) == 1 {
			return "true", true // the relying party keeps no other address
		}
		return "", true
	case "email", "name":
		if !u.provider.keeps(name) {
			return "", true
		}
	default:
		if !u.provider.keeps(name) {
			return nil, false
		}
	}
	switch values := s.Claims.Values(name); len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], true
	default:
		return stringList(values), true
	}
}
