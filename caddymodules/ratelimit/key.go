package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Placeholders that are read without the replacer, because most keys are one of them.
const (
	clientIPName   = "http.vars." + caddyhttp.ClientIPVarKey
	remoteHostName = "http.request.remote.host"
	// authPrefix begins the placeholders of an authenticated user.
	authPrefix = "http.auth."
	// candidatePrefix begins those of a user who failed to authenticate, set by basic_auth.
	candidatePrefix = "http.auth.candidate."
)

// key is a zone's compiled key.
type key struct {
	parts []part
	// scope begins what is digested: namespace and zone, each after its length.
	scope []byte
	// constant is the digest of a key without placeholders.
	constant limiter.Key
	dynamic  bool
	onEmpty  string
	networks networks
}

// part is one part of a key.
type part struct {
	source string
	kind   partKind
	// name is the placeholder of a part that is nothing else.
	name string
}

type partKind uint8

const (
	literal partKind = iota
	clientIP
	remoteHost
	placeholder
	template
)

func (z *Zone) compileKey(namespace, zone string) key {
	k := key{
		onEmpty:  z.OnEmptyKey,
		networks: networks{v4: *z.IPv4Prefix, v6: *z.IPv6Prefix},
		scope:    appendSized(appendSized(nil, namespace), zone),
	}
	sources := z.keyParts()
	if len(sources) == 0 {
		sources = []string{""}
	}
	for _, source := range sources {
		p := compilePart(source)
		k.dynamic = k.dynamic || p.kind != literal
		k.parts = append(k.parts, p)
	}
	if !k.dynamic {
		b := k.scope
		for _, p := range k.parts {
			b = appendSized(b, p.source)
		}
		k.constant = digest(b)
	}
	return k
}

// compilePart sees whether the source is one plain placeholder, as nearly all are, or none at all. A
// template with braces, escapes or several placeholders is left to Caddy's replacer.
func compilePart(source string) part {
	if !strings.ContainsAny(source, "{}") {
		return part{source: source}
	}
	name, ok := strings.CutPrefix(source, "{")
	if ok {
		name, ok = strings.CutSuffix(name, "}")
	}
	if !ok || strings.ContainsAny(name, `{}\`) {
		return part{source: source, kind: template}
	}
	switch name {
	case clientIPName:
		return part{source: source, kind: clientIP}
	case remoteHostName:
		return part{source: source, kind: remoteHost}
	default:
		return part{source: source, kind: placeholder, name: name}
	}
}

// keyInfo is what computing a key has shown.
type keyInfo struct {
	// known: some placeholder was not empty.
	known bool
	// stranger: a placeholder of an authenticated user was empty.
	anonymous bool
}

// see takes note of a placeholder's value.
func (f *keyInfo) see(name, value string) {
	f.known = f.known || value != ""
	if value == "" && strings.HasPrefix(name, authPrefix) && !strings.HasPrefix(name, candidatePrefix) {
		f.anonymous = true
	}
}

// value is the part for this request.
func (p *part) value(r *http.Request, f *keyInfo) string {
	switch p.kind {
	case clientIP:
		ip := clientOf(r)
		f.see(clientIPName, ip)
		return ip
	case remoteHost:
		host := remoteOf(r)
		f.see(remoteHostName, host)
		return host
	case placeholder:
		v, _ := replacer(r).Get(p.name)
		text := caddy.ToString(v)
		f.see(p.name, text)
		return text
	case template:
		// The replacer fails only at hundreds of unclosed braces, which are the operator's.
		text, _ := replacer(r).ReplaceFunc(p.source, func(name string, v any) (any, error) {
			f.see(name, caddy.ToString(v))
			return v, nil
		})
		return text
	default:
		return p.source
	}
}

// of digests the request's key, with b as working memory; the grown b is returned. A key whose
// placeholders were all empty is digested as it came, its empty parts included.
func (k *key) of(r *http.Request, b []byte) (limiter.Key, keyInfo, []byte) {
	if !k.dynamic {
		return k.constant, keyInfo{known: true}, b
	}
	var f keyInfo
	b = append(b[:0], k.scope...)
	for i := range k.parts {
		p := &k.parts[i]
		if p.kind == literal {
			b = appendSized(b, p.source)
		} else {
			b = k.networks.appendSized(b, p.value(r, &f))
		}
	}
	return digest(b), f, b
}

// ofClient digests the client's network, for a request whose key is empty. One part more than the
// key has keeps it apart from every key of the zone, whatever clients send in theirs.
func (k *key) ofClient(r *http.Request, b []byte) (limiter.Key, []byte) {
	b = append(b[:0], k.scope...)
	for range k.parts {
		b = appendSized(b, "")
	}
	b = k.networks.appendSized(b, clientOf(r))
	return digest(b), b
}

// text is the request's key for the log, where log_key asks for it.
func (k *key) text(r *http.Request) string {
	var (
		f     keyInfo
		b     []byte
		parts = make([]string, 0, len(k.parts))
	)
	for i := range k.parts {
		b = k.networks.append(b[:0], k.parts[i].value(r, &f))
		parts = append(parts, string(b))
	}
	if k.dynamic && !f.known && k.onEmpty == emptyKeyClient {
		return string(k.networks.append(b[:0], clientOf(r)))
	}
	return strings.Join(parts, " ")
}

// clientOf is {client_ip}: the address that the server takes for the client's, trusted proxies
// considered.
func clientOf(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// remoteOf is {http.request.remote.host}: the address of the connection. Before the end of the TLS
// handshake (QUIC early data) it may be forged, and Caddy leaves it empty.
func remoteOf(r *http.Request) string {
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // a Unix socket
	}
	return host
}

func replacer(r *http.Request) *caddy.Replacer {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

// sizeLen is the length of the length before each text that is digested.
const sizeLen = 4

// appendSized appends the text after its length, so that no two lists of texts look alike.
func appendSized(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

func digest(b []byte) (k limiter.Key) {
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k
}
