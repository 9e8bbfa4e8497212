package assertidentity

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// plainHeader is one of Headers.
type plainHeader struct {
	name    string // canonical
	content string
}

func newPlainHeader(name string) plainHeader {
	return plainHeader{name: http.CanonicalHeaderKey(name), content: content(name)}
}

// content says what a header carries, by the last word of its name; "" when that says nothing.
func content(name string) string {
	last := strings.ToLower(name[strings.LastIndexByte(name, '-')+1:])
	switch last {
	case "user", "email", "groups", "name":
		if len(last) < len(name) {
			return last
		}
	}
	return ""
}

// value is what the header says of a user; "" when there is nothing to say.
func (p plainHeader) value(u *user, id identity.Identity) string {
	switch p.content {
	case "user":
		return exact(id.Subject)
	case "email":
		if u.emailVerified() {
			return exact(caddy.ToString(u.values[userEmail]))
		}
	case "name":
		return exact(caddy.ToString(u.values[userName]))
	case "groups":
		var fit []string
		for _, group := range id.Groups {
			// A comma would make two groups of one.
			if exact(group) != "" && !strings.ContainsRune(group, ',') {
				fit = append(fit, group)
			}
		}
		return strings.Join(fit, ",")
	}
	return ""
}

// exact returns a text if a header carries it without change, and "" otherwise: a control character
// makes the request fail, and spaces at the ends are taken off, which could make one user another.
func exact(text string) string {
	if !utf8.ValidString(text) || strings.TrimSpace(text) != text {
		return ""
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return ""
		}
	}
	return text
}
