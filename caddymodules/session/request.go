package session

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// kind is what a request is for the person who waits for its answer.
type kind uint8

const (
	// call is one that a script or a program makes: it reads statuses, not pages.
	call kind = iota
	// navigation is a page that a person goes to.
	navigation
	// form is one that a person has sent off.
	form
	// prefetch is one that nobody may ever look at.
	prefetch
)

// kindOf goes by what browsers say of a request, and by what it accepts where they do not.
func kindOf(r *http.Request) kind {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Moz"} {
		for _, value := range r.Header[name] {
			if value = strings.ToLower(value); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") {
				return prefetch
			}
		}
	}
	if upgrades(r) {
		return call
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		// A frame cannot go to a provider: most forbid to be framed.
		if dest := r.Header.Get("Sec-Fetch-Dest"); mode != "navigate" || (dest != "" && dest != "document") {
			return call
		}
	} else if r.Header.Get("X-Requested-With") != "" || !acceptsHTML(r) {
		return call
	}
	if safe {
		return navigation
	}
	return form
}

// acceptsHTML reports whether a client asks for pages by name: scripts and programs accept anything.
func acceptsHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			media, parameters, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				quality := strings.ReplaceAll(parameters, " ", "")
				return quality != "q=0" && quality != "q=0.0" && quality != "q=0.00" && quality != "q=0.000"
			}
		}
	}
	return false
}

// upgrades reports whether a request wants to become a WebSocket, or another protocol.
func upgrades(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return true // RFC 8441 and 9220
	}
	for _, line := range r.Header["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return r.Header.Get("Sec-Websocket-Key") != ""
}

// safe reports whether a request changes nothing (RFC 9110, 9.2.1).
func safe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}

// origin is where the browser sees the site: scheme and host, with a port that is not the scheme's.
// Forwarding headers count only from trusted proxies.
type origin struct{ scheme, host string }

func originOf(r *http.Request) origin {
	o := origin{scheme: "http", host: r.Host}
	if r.TLS != nil {
		o.scheme = "https"
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if scheme := lastForwarded(r, "X-Forwarded-Proto"); scheme == "https" || scheme == "http" {
			o.scheme = scheme
		}
		if host := lastForwarded(r, "X-Forwarded-Host"); host != "" {
			o.host = host
		}
	}
	port := ":80"
	if o.scheme == "https" {
		port = ":443"
	}
	o.host = strings.TrimSuffix(strings.ToLower(o.host), port)
	return o
}

// lastForwarded returns the value that the nearest proxy wrote: the last one.
func lastForwarded(r *http.Request, name string) string {
	lines := r.Header[name]
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	return strings.ToLower(strings.TrimSpace(line[strings.LastIndexByte(line, ',')+1:]))
}

// String is the origin as browsers write it.
func (o origin) String() string { return o.scheme + "://" + o.host }

// valid reports whether the host is one, and nothing else could be read from it.
func (o origin) valid() bool {
	u, err := url.Parse(o.String())
	return err == nil && u.Host == o.host && u.Hostname() != "" && u.User == nil && u.Path == "" &&
		!strings.ContainsAny(o.host, `\/?#@ ,"'<>%`)
}

// secure reports whether browsers send Secure cookies there.
func (o origin) secure() bool {
	if o.scheme == "https" {
		return true
	}
	host := o.host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// readOrigins makes the sets of origins at which people sign in, whose pages are trusted, and whose
// pages may read responses. All of them may send what changes something.
func (h *Handler) readOrigins() error {
	h.csrf = http.NewCrossOriginProtection()
	for _, setting := range []struct {
		name    string
		origins []string
		set     *map[string]bool
	}{{"origin", h.Origins, &h.origins}, {"trusted_origins", h.TrustedOrigins, &h.trusted}, {"cors", h.CORS, &h.cors}} {
		for _, text := range setting.origins {
			o, err := parseOrigin(caddy.NewReplacer().ReplaceKnown(text, ""))
			if err != nil {
				return fmt.Errorf("%s: %w", setting.name, err)
			}
			if err := h.csrf.AddTrustedOrigin(o); err != nil {
				return fmt.Errorf("%s: %w", setting.name, err)
			}
			if *setting.set == nil {
				*setting.set = make(map[string]bool)
			}
			(*setting.set)[o] = true
		}
	}
	return nil
}

// crossSite reports whether a page of another site made a request that could change something, or that opens a
// connection that can. Programs send no such headers. They pass, because an attacker cannot make them send our cookies.
func (h *Handler) crossSite(r *http.Request, at origin) bool {
	if upgrades(r) {
		// Browsers always say where a WebSocket is opened from.
		from := r.Header["Origin"]
		if len(from) == 0 {
			from = []string{at.String()}
			if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
				return true
			}
		}
		if len(from) > 1 || (from[0] != at.String() && !h.origins[from[0]] && !h.trusted[from[0]] && !h.cors[from[0]]) {
			return true
		}
	}
	if safe(r) {
		return false
	}
	seen := *r
	seen.Host = at.host
	return h.csrf.Check(&seen) != nil
}

// clientIP is the client's address, from trusted proxies only.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

func replacer(r *http.Request) *caddy.Replacer {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

func requestID(r *http.Request) string {
	id, _ := replacer(r).GetString("http.request.uuid")
	return id
}
