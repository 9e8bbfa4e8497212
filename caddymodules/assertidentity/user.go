package assertidentity

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// The placeholders that are always read, by their places in a user's values. Claims follow them.
const (
	userID = iota
	userIDP
	userIDPSubject
	userSession
	userACR
	userAuthTime
	userGroups
	userSource
	userEmail
	userEmailVerified
	userName
	fixedValues
)

var fixedPlaceholders = [fixedValues]string{
	userID:            "http.auth.user.id",
	userIDP:           "http.auth.user.iss",
	userIDPSubject:    "http.auth.user.sub",
	userSession:       "http.auth.user.session",
	userACR:           "http.auth.user.acr",
	userAuthTime:      "http.auth.user.auth_time",
	userGroups:        "http.auth.user.groups",
	userSource:        "http.session.source",
	userEmail:         "http.auth.user.email",
	userEmailVerified: "http.auth.user.email_verified",
	userName:          "http.auth.user.name",
}

// placeholders are those that a handler reads, and the claims that it makes of them.
type placeholders struct {
	names  []string
	claims []claim
}

// claim is one that is passed on, and the place of its value.
type claim struct {
	name string
	at   int
}

func newPlaceholders(claims []string) placeholders {
	p := placeholders{names: slices.Clone(fixedPlaceholders[:])}
	for _, name := range claims {
		at := slices.Index(p.names, "http.auth.user."+name)
		if at < 0 {
			at = len(p.names)
			p.names = append(p.names, "http.auth.user."+name)
		}
		p.claims = append(p.claims, claim{name, at})
	}
	return p
}

// publisher answers placeholders of a request without the replacer, which asks all of its sources in turn.
// Another handler keeps one in the variable publisherVar of the request, as `session` does.
type publisher interface {
	Placeholder(name string) (value any, known bool)
}

// publisherVar is the variable of the request that holds a publisher.
const publisherVar = "session.published"

// user is what is known of who is asking. The value of a placeholder that nobody has set is nil.
type user struct {
	values []any
	key    []byte
}

// read fills in a user; false means that nobody is signed in. The publisher may be nil. It is asked first if it
// published this user; a handler that ran after it may have set another one.
func (p *placeholders) read(repl *caddy.Replacer, published publisher, u *user) bool {
	id, ok := repl.Get(p.names[userID])
	if !ok || caddy.ToString(id) == "" {
		return false
	}
	if published != nil {
		theirs, _ := published.Placeholder(p.names[userID])
		if name, _ := theirs.(string); name != caddy.ToString(id) {
			published = nil
		}
	}
	u.values = append(u.values[:0], id)
	for _, name := range p.names[1:] {
		u.values = append(u.values, valueOf(name, repl, published))
	}
	u.key = u.key[:0]
	for _, value := range u.values {
		u.key = appendValue(u.key, value)
	}
	return true
}

// valueOf is the value of a placeholder, nil if it has none.
func valueOf(name string, repl *caddy.Replacer, published publisher) any {
	if published != nil {
		if value, known := published.Placeholder(name); known {
			return value
		}
	}
	value, _ := repl.Get(name)
	return value
}

// forget lets a user be used for another request.
func (u *user) forget() { clear(u.values[:cap(u.values)]) }

// identity makes the identity of a user.
func (p *placeholders) identity(u *user) identity.Identity {
	id := identity.Identity{
		Subject:    caddy.ToString(u.values[userID]),
		IDP:        caddy.ToString(u.values[userIDP]),
		IDPSubject: caddy.ToString(u.values[userIDPSubject]),
		SessionID:  caddy.ToString(u.values[userSession]),
		ACR:        caddy.ToString(u.values[userACR]),
		AuthTime:   authTime(u.values[userAuthTime]),
		Groups:     groups(u.values[userGroups]),
		Source:     source(u.values[userSource]),
	}
	for _, c := range p.claims {
		if c.at == userEmail && !u.emailVerified() {
			continue
		}
		if value := claimValue(u.values[c.at]); value != nil {
			if id.Claims == nil {
				id.Claims = make(map[string]any, len(p.claims))
			}
			id.Claims[c.name] = value
		}
	}
	return id
}

// emailVerified believes `session`, which sets no other email, and of other handlers their word.
func (u *user) emailVerified() bool {
	if said := u.values[userEmailVerified]; said != nil {
		return caddy.ToString(said) == "true"
	}
	return source(u.values[userSource]) != identity.FromOther
}

// source reads {http.session.source}, which is "none" or not there when `session` signed nobody in.
func source(value any) identity.Source {
	switch caddy.ToString(value) {
	case "", "none":
		return identity.FromOther
	case "ticket":
		return identity.FromTicket
	case "bearer":
		return identity.FromBearer
	default: // where the session was found: cache, copy, redis
		return identity.FromSession
	}
}

// authTime reads seconds since 1970, or a time. What cannot be read is no time: an upstream that asks
// for a recent sign-in then refuses.
func authTime(value any) time.Time {
	if t, ok := value.(time.Time); ok {
		return t
	}
	text := caddy.ToString(value)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// groups reads a list, or a text in which commas part the names. Spaces around them are taken off in a
// text only: in a list they are part of the name, and "admins " is not the group "admins".
func groups(value any) []string {
	var list []string
	if elements := reflect.ValueOf(value); elements.IsValid() && elements.Kind() == reflect.Slice {
		for i := range elements.Len() {
			list = append(list, caddy.ToString(elements.Index(i).Interface()))
		}
	} else {
		for name := range strings.SplitSeq(caddy.ToString(value), ",") {
			list = append(list, strings.TrimSpace(name))
		}
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// claimValue is what an assertion can carry of a value: nil when there is nothing.
func claimValue(value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case bool, int, int64, float64, json.Number:
		return v
	case []any:
		return v
	}
	if elements := reflect.ValueOf(value); elements.Kind() == reflect.Slice && elements.Type().Elem().Kind() == reflect.String {
		list := make([]string, elements.Len())
		for i := range list {
			list[i] = elements.Index(i).String()
		}
		return list
	}
	if text := caddy.ToString(value); text != "" {
		return text
	}
	return nil
}

// appendValue appends a value to the key of a user. Different values never give the same bytes, lest
// one user get the assertion of another: each begins with its kind and says its length.
func appendValue(key []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(key, '-')
	case string:
		return appendText(append(key, 's'), v)
	case bool:
		if v {
			return append(key, 't')
		}
		return append(key, 'f')
	case int:
		return binary.AppendVarint(append(key, 'i'), int64(v))
	case int64:
		return binary.AppendVarint(append(key, 'i'), v)
	case float64:
		return binary.AppendUvarint(append(key, 'd'), math.Float64bits(v))
	case json.Number:
		return appendText(append(key, 'n'), string(v))
	case time.Time:
		return binary.AppendVarint(append(key, 'T'), v.UnixNano())
	}
	// Lists of texts have types of their own, which `session` uses.
	if elements := reflect.ValueOf(value); elements.Kind() == reflect.Slice {
		key = binary.AppendUvarint(append(key, 'l'), uint64(elements.Len()))
		texts := elements.Type().Elem().Kind() == reflect.String
		for i := range elements.Len() {
			if texts {
				key = appendText(append(key, 's'), elements.Index(i).String())
			} else {
				key = appendValue(key, elements.Index(i).Interface())
			}
		}
		return key
	}
	return appendText(append(key, 'o'), caddy.ToString(value))
}

func appendText(key []byte, text string) []byte {
	key = binary.AppendUvarint(key, uint64(len(text)))
	return append(key, text...)
}
