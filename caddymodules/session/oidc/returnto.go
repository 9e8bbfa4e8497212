package oidc

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReturnTo bounds a return address in bytes: it travels in a cookie, and up to five logins may be
// under way in one browser.
const maxReturnTo = 1024

// ReturnTo returns the address that a login may lead back to: raw if it is a path of this site, with
// query and fragment, otherwise fallback. What no browser would itself send as a path is refused
// (dot segments, a backslash, a second slash in front, control characters, plain or escaped), since
// browsers, proxies and apps disagree on what it means.
func ReturnTo(raw, fallback string) string {
	if len(raw) > maxReturnTo || !utf8.ValidString(raw) || !strings.HasPrefix(raw, "/") {
		return fallback
	}
	path, _, _ := strings.Cut(raw, "#")
	path, _, _ = strings.Cut(path, "?")
	if !safePath(path) || !printable(raw) {
		return fallback
	}
	// A proof by the parser: nothing in it may be taken for a scheme, a host or a user.
	u, err := url.Parse(raw)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return fallback
	}
	if raw = escapeNonASCII(raw); len(raw) > maxReturnTo {
		return fallback
	}
	return raw
}

// safePath looks at the path as it is and at each way that somebody on the way may unescape it.
func safePath(path string) bool {
	for range 4 {
		if strings.HasPrefix(path, "//") || strings.ContainsAny(path, `\`) || !printable(path) {
			return false
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				return false
			}
		}
		decoded := unescape(path)
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false // escaped again and again: nobody means well
}

// unescape is as lenient as the worst decoder: what is no escape stays as it is.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// printable refuses control characters: browsers drop some of them from addresses.
func printable(s string) bool {
	for _, r := range s {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) {
			return false
		}
	}
	return true
}

// escapeNonASCII makes an address fit for a Location header.
func escapeNonASCII(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
