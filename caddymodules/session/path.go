package session

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// matchers are sets of which one suffices; of no sets none does.
type matchers []matcherSet

// matcherSet is one set, and the path patterns that are in it as they are configured. Caddy compares
// paths without regard to case; apps do not.
type matcherSet struct {
	caddyhttp.MatcherSet
	paths []string
}

func loadMatchers(ctx caddy.Context, owner any, field string, raw caddyhttp.RawMatcherSets) (matchers, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	patterns := make([][]string, len(raw))
	for i, set := range raw { // loading takes the raw configuration away
		if path, ok := set["path"]; ok {
			if err := json.Unmarshal(path, &patterns[i]); err != nil {
				return nil, err
			}
		}
	}
	loaded, err := ctx.LoadModule(owner, field)
	if err != nil {
		return nil, err
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(loaded); err != nil {
		return nil, err
	}
	all := make(matchers, len(sets))
	for i := range sets {
		all[i] = matcherSet{sets[i], patterns[i]}
	}
	return all, nil
}

// match reports whether one of the sets matches.
func (m matchers) match(r *http.Request) (bool, error) {
	for i := range m {
		if in, err := m[i].MatchWithError(r); err != nil || in {
			return in, err
		}
	}
	return false, nil
}

// matchAny reports whether one of the readings of a request matches.
func (m matchers) matchAny(readings []*http.Request) (bool, error) {
	for _, r := range readings {
		if in, err := m.match(r); err != nil || in {
			return in, err
		}
	}
	return false, nil
}

// matchExactly is match for what opens a door: the path must also be written as it is configured.
func (m matchers) matchExactly(r *http.Request) (bool, error) {
	for i := range m {
		if !m[i].written(r) {
			continue
		}
		if in, err := m[i].MatchWithError(r); err != nil || in {
			return in, err
		}
	}
	return false, nil
}

// written reports whether one of the patterns has the letters of the path in its own case.
func (s *matcherSet) written(r *http.Request) bool {
	if s.paths == nil {
		return true
	}
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for _, pattern := range s.paths {
		if repl != nil && strings.Contains(pattern, "{") {
			pattern = repl.ReplaceAll(pattern, "")
		}
		if literally(pattern, r.URL.Path) || (strings.Contains(pattern, "%") && literally(pattern, r.URL.EscapedPath())) {
			return true
		}
	}
	return false
}

// literally reports whether the parts of a pattern between its wildcards are in the path, in order, the
// first at its beginning and the last at its end.
func literally(pattern, path string) bool {
	if pattern == "" || strings.ContainsAny(pattern, "?[") {
		return pattern != "" // a glob, for which Caddy's own comparison must do
	}
	last := ""
	for first, rest := true, pattern; rest != ""; first = false {
		var part string
		part, rest, _ = strings.Cut(rest, "*")
		if part == "" {
			continue
		}
		at := strings.Index(path, part)
		if at < 0 || (first && at != 0) {
			return false
		}
		path, last = path[at+len(part):], part
	}
	return pattern[len(pattern)-1] == '*' || path == "" || strings.HasSuffix(path, last)
}

// original is the request as the client sent it: what rewrites have made of it is not what it was
// allowed for. The copy shares all but its address.
func original(r *http.Request) *http.Request {
	sent, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || sent.URL == nil || (*sent.URL == *r.URL && sent.RequestURI == r.RequestURI) {
		return r
	}
	o := *r
	o.URL, o.RequestURI = sent.URL, sent.RequestURI
	return &o
}

// canonical reports whether everybody on the way reads the path alike. Of another one, the part that is
// public here may be something else to the app.
func canonical(r *http.Request) bool {
	path := r.URL.EscapedPath()
	if path == "" || path[0] != '/' || strings.Contains(path, "//") {
		return false
	}
	if !utf8.ValidString(r.URL.Path) {
		return false // lenient decoders read %c0%ae as a dot
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			if c <= ' ' || c >= 0x7f || strings.IndexByte(`;\#?`, c) >= 0 {
				return false
			}
			continue
		}
		if i+2 >= len(path) {
			return false
		}
		high, low := unhex(path[i+1]), unhex(path[i+2])
		if high < 0 || low < 0 {
			return false
		}
		if b := byte(high<<4 | low); b < ' ' || b == 0x7f || strings.IndexByte(`/\.;#?%`, b) >= 0 {
			return false
		}
		i += 2
	}
	return true
}

// pathVariants are the paths that apps may make of one that is not canonical: without the parameters of its
// segments (before it is unescaped, as Java does, or after), with \ for /, and unescaped once more.
func pathVariants(r *http.Request) (others []*http.Request) {
	again := func(text string) string {
		if unescaped, err := url.PathUnescape(text); err == nil {
			return unescaped
		}
		return text
	}
	slashes := strings.NewReplacer(`\`, "/")
	once := slashes.Replace(r.URL.Path)
	for _, path := range [...]string{
		again(withoutParameters(r.URL.EscapedPath())), withoutParameters(once), withoutParameters(slashes.Replace(again(once))),
	} {
		other, u := *r, *r.URL
		u.Path, u.RawPath = path, ""
		other.URL = &u
		others = append(others, &other)
	}
	return others
}

// withoutParameters cuts off what follows a semicolon in a segment (RFC 3986, 3.3).
func withoutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
