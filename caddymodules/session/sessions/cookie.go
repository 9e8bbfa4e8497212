package sessions

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

// Selector finds a session: 128 random bits, new at every login. It is no secret by itself: without
// the verifier it opens nothing.
type Selector [16]byte

// Verifier proves a session: 256 random bits, changed by rotation. It lives in the cookie alone;
// stores see its Hash.
type Verifier [32]byte

// Hash is the SHA-256 of a Verifier. The zero Hash means that there is none.
type Hash [sha256.Size]byte

// Cookie is what the session cookie carries: `1.<selector>.<verifier>`, both in base64url.
type Cookie struct {
	Selector Selector
	Verifier Verifier
}

var encoding = base64.RawURLEncoding.Strict()

const (
	cookieVersion = "1."
	selectorChars = 22
	verifierChars = 43
	cookieChars   = len(cookieVersion) + selectorChars + len(".") + verifierChars
)

// NewSelector reads a selector from random, which is crypto/rand.Reader outside of tests.
func NewSelector(random io.Reader) (s Selector, err error) {
	if _, err = io.ReadFull(random, s[:]); err != nil {
		return s, fmt.Errorf("read random selector: %w", err)
	}
	return s, nil
}

// NewVerifier reads a verifier from random, which is crypto/rand.Reader outside of tests.
func NewVerifier(random io.Reader) (v Verifier, err error) {
	if _, err = io.ReadFull(random, v[:]); err != nil {
		return v, fmt.Errorf("read random verifier: %w", err)
	}
	return v, nil
}

// ParseCookie reads a cookie's value. Only the one form that Value writes is accepted, of its exact
// length: anything else is no session, and costs nothing to refuse.
func ParseCookie(value string) (c Cookie, ok bool) {
	if len(value) != cookieChars || value[:len(cookieVersion)] != cookieVersion {
		return Cookie{}, false
	}
	selector, verifier := value[len(cookieVersion):], value[cookieChars-verifierChars:]
	if selector[selectorChars] != '.' {
		return Cookie{}, false
	}
	if !decode(c.Selector[:], selector[:selectorChars]) || !decode(c.Verifier[:], verifier) {
		return Cookie{}, false
	}
	return c, true
}

// Value is the text of the cookie.
func (c Cookie) Value() string {
	b := make([]byte, 0, cookieChars)
	b = append(b, cookieVersion...)
	b = encoding.AppendEncode(b, c.Selector[:])
	b = append(b, '.')
	b = encoding.AppendEncode(b, c.Verifier[:])
	return string(b)
}

// String hides the verifier, so that a cookie that meets a logger gives nothing away.
func (c Cookie) String() string { return "session " + c.Selector.ID() }

// GoString is String.
func (c Cookie) GoString() string { return c.String() }

// ParseSelector reads what Selector.String wrote.
func ParseSelector(text string) (s Selector, ok bool) {
	if len(text) != selectorChars || !decode(s[:], text) {
		return Selector{}, false
	}
	return s, true
}

// String is the selector in base64url, as the store's keys carry it.
func (s Selector) String() string { return encoding.EncodeToString(s[:]) }

// ID names the session in logs, pages and identities: a digest from which nobody gets the selector.
func (s Selector) ID() string {
	sum := sha256.Sum256(append([]byte("gh session id"), s[:]...))
	return hex.EncodeToString(sum[:12])
}

// Hash is what stores and tickets know of the verifier.
func (v Verifier) Hash() Hash { return sha256.Sum256(v[:]) }

// String hides the verifier.
func (v Verifier) String() string { return "(verifier)" }

// GoString hides the verifier.
func (v Verifier) GoString() string { return "(verifier)" }

// Equal compares in constant time. Nothing equals the zero Hash.
func (h Hash) Equal(o Hash) bool {
	return h != Hash{} && subtle.ConstantTimeCompare(h[:], o[:]) == 1
}

// mark is the shorter form in which retired verifiers are remembered.
func (h Hash) mark() RetiredHash { return RetiredHash(h[:len(RetiredHash{})]) }

// RetiredHash is the first half of the Hash of a retired verifier.
type RetiredHash [16]byte

func decode(dst []byte, text string) bool {
	// A raw base64 text of the right length decodes to exactly len(dst) bytes, or not at all; line
	// breaks, which encoding/base64 skips, make it shorter.
	var src [verifierChars]byte
	n, err := encoding.Decode(dst, src[:copy(src[:], text)])
	return err == nil && n == len(dst)
}
