package identity

import (
	"io"
	"net/http"
	"strings"
)

// The headers between the edge and an upstream.
const (
	// HeaderAssertion carries the assertion.
	HeaderAssertion = "X-Auth-Assertion"
	// HeaderRequestID carries the id under which the edge logs the request.
	HeaderRequestID = "X-Request-Id"
)

// ownPrefix begins the normalised form of every name that is the edge's alone.
const ownPrefix = "xauth"

// Names knows which header names only the edge may set: those whose normalised form begins with
// "xauth", and a few more. CGI, PHP, WSGI and many servers read X-Auth-User, x_auth_user and
// X.Auth.User as one name, so a name is compared by its letters and digits alone, in lower case.
// It is safe for concurrent use.
type Names struct {
	more []string // normalised
}

// NewNames adds names to those that begin with "xauth".
func NewNames(more ...string) *Names {
	n := &Names{}
	for _, name := range more {
		if normal := Normalize(name); normal != "" && !strings.HasPrefix(normal, ownPrefix) {
			n.more = append(n.more, normal)
		}
	}
	return n
}

// Normalize reduces a header name to its letters and digits, in lower case.
func Normalize(name string) string {
	normal := make([]byte, 0, len(name))
	for i := range len(name) {
		if c := normalByte(name[i]); c != 0 {
			normal = append(normal, c)
		}
	}
	return string(normal)
}

// normalByte is 0 for a byte that counts for nothing.
func normalByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return 0
	}
}

// Own reports whether only the edge may set a header of this name.
func (n *Names) Own(name string) bool {
	if hasNormalPrefix(name, ownPrefix, false) {
		return true
	}
	for _, more := range n.more {
		if hasNormalPrefix(name, more, true) {
			return true
		}
	}
	return false
}

// hasNormalPrefix compares Normalize(name) with prefix without making it; whole asks for equality.
func hasNormalPrefix(name, prefix string, whole bool) bool {
	at := 0
	for i := range len(name) {
		c := normalByte(name[i])
		if c == 0 {
			continue
		}
		if at == len(prefix) {
			return !whole
		}
		if c != prefix[at] {
			return false
		}
		at++
	}
	return at == len(prefix)
}

// Strip deletes what a client may not send, and returns how many names it deleted: from the headers;
// from the Connection header, which would make the proxy delete the edge's own; and from the
// trailers, now and when the body has been read. Trailers that were never announced come in as well
// once one was, so that r.Body is wrapped when trailers may follow it.
func (n *Names) Strip(r *http.Request) int {
	stripped := n.stripHeader(r.Header) + n.stripConnection(r.Header) + n.stripHeader(r.Trailer)
	if r.Body != nil && r.Body != http.NoBody && (r.Trailer != nil || r.ContentLength < 0) {
		r.Body = &trailerStripper{ReadCloser: r.Body, names: n, request: r}
	}
	return stripped
}

func (n *Names) stripHeader(h http.Header) (stripped int) {
	for name := range h {
		if n.Own(name) {
			delete(h, name)
			stripped++
		}
	}
	return stripped
}

// stripConnection deletes our names from the list of headers that end at this hop (RFC 9110 section 7.6.1).
func (n *Names) stripConnection(h http.Header) (stripped int) {
	values := h["Connection"]
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if n.Own(token) {
				stripped++
			}
		}
	}
	if stripped == 0 {
		return 0
	}
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !n.Own(token) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
	} else {
		h["Connection"] = []string{strings.Join(kept, ", ")}
	}
	return stripped
}

// trailerStripper deletes trailers at the moment at which net/http has filled them in.
type trailerStripper struct {
	io.ReadCloser
	names   *Names
	request *http.Request
}

func (b *trailerStripper) Read(p []byte) (int, error) {
	read, err := b.ReadCloser.Read(p)
	if err != nil {
		b.names.stripHeader(b.request.Trailer)
	}
	return read, err
}
