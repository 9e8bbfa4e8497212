package bench

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Jar is a browser's cookies for one host, shared by its connections. It replaces cookies by name and deletes
// those with Max-Age=0. The zero Jar is empty. A Jar is safe for concurrent use.
type Jar struct {
	mu      sync.Mutex
	cookies map[string]string
	header  atomic.Pointer[string]
}

// NewJar returns a jar with these cookies.
func NewJar(cookies map[string]string) *Jar {
	j := &Jar{cookies: maps.Clone(cookies)}
	j.write()
	return j
}

// Header is the value of the Cookie header, empty without cookies.
func (j *Jar) Header() string {
	if j == nil {
		return ""
	}
	if h := j.header.Load(); h != nil {
		return *h
	}
	return ""
}

// Take takes the value of a Set-Cookie header. A nil jar ignores it.
func (j *Jar) Take(setCookie []byte) {
	if j == nil {
		return
	}
	pair, attributes, _ := bytes.Cut(setCookie, []byte(";"))
	name, value, ok := bytes.Cut(bytes.TrimSpace(pair), []byte("="))
	if !ok {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cookies == nil {
		j.cookies = map[string]string{}
	}
	if deletes(attributes) {
		delete(j.cookies, string(name))
	} else {
		j.cookies[string(name)] = string(value)
	}
	j.write()
}

// deletes reports whether the attributes delete the cookie.
func deletes(attributes []byte) bool {
	for attribute := range bytes.SplitSeq(attributes, []byte(";")) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(attribute), []byte("="))
		if bytes.EqualFold(name, []byte("Max-Age")) {
			return string(value) == "0" || bytes.HasPrefix(value, []byte("-"))
		}
	}
	return false
}

// write makes the header anew. The lock is held, or nobody else knows the jar.
func (j *Jar) write() {
	pairs := make([]string, 0, len(j.cookies))
	for _, name := range slices.Sorted(maps.Keys(j.cookies)) {
		pairs = append(pairs, name+"="+j.cookies[name])
	}
	header := strings.Join(pairs, "; ")
	j.header.Store(&header)
}
