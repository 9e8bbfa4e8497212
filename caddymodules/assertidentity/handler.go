package assertidentity

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// assertion is what one user's requests are sent on with. It is shared, and never changed.
type assertion struct {
	identity.Assertion
	plain []string // values of the handler's plain headers; "" for none
}

var users = sync.Pool{New: func() any { return new(user) }}

// ServeHTTP deletes what the client claims, sets what is known, and passes the request on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	// Load balancers set one too: it is replaced, and is no sign of an attack.
	delete(r.Header, identity.HeaderRequestID)
	if h.names.Strip(r) > 0 {
		h.counts.stripped.Inc()
	}
	if r.URL.Path == h.JWKSPath {
		return h.serveKeys(w, r)
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return caddyhttp.Error(http.StatusInternalServerError, errors.New("assert_identity: the request has no placeholders"))
	}
	published, _ := caddyhttp.GetVar(r.Context(), publisherVar).(publisher)
	a, err := h.assert(repl, published)
	if err != nil {
		h.counts.failed.Inc()
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("assert_identity: %w", err))
	}
	h.set(r.Header, requestID(r, repl), a)
	return next.ServeHTTP(w, r)
}

// requestID is {http.request.uuid}. Caddy keeps it as a variable once it was asked for, and asking
// for the placeholder again costs two allocations.
func requestID(r *http.Request, repl *caddy.Replacer) string {
	if kept, ok := caddyhttp.GetVar(r.Context(), "uuid").(fmt.Stringer); ok {
		return kept.String()
	}
	id, _ := repl.GetString("http.request.uuid")
	return id
}

// assert returns the assertion of who is asking, nil when that is nobody.
func (h *Handler) assert(repl *caddy.Replacer, published publisher) (*assertion, error) {
	u := users.Get().(*user)
	defer users.Put(u)
	if !h.user.read(repl, published, u) {
		h.counts.anonymous.Inc()
		return nil, nil
	}
	defer u.forget()
	// A key that came or was withdrawn counts at once.
	if a, ok := h.cache.GetBytes(u.key); ok && h.now().Before(a.Renew) && a.KeyID == h.keyring.KeyID() {
		h.counts.cached.Inc()
		return a, nil
	}
	id := h.user.identity(u)
	signed, err := h.signer.Sign(id)
	if err != nil {
		return nil, err
	}
	h.counts.signed.Inc()
	a := &assertion{Assertion: signed}
	size := len(u.key) + len(a.Token) + 256 // and what the map and the struct take
	for _, header := range h.plain {
		value := header.value(u, id)
		a.plain = append(a.plain, value)
		size += len(value)
	}
	h.cache.Put(string(u.key), a, size)
	return a, nil
}

// set writes the headers. All their values are in one array of this request's own, since handlers
// that follow may write into it.
func (h *Handler) set(header http.Header, requestID string, a *assertion) {
	if a == nil {
		if requestID != "" {
			header[identity.HeaderRequestID] = []string{requestID}
		}
		return
	}
	values := make([]string, 0, 2+len(a.plain))
	add := func(name, value string) {
		if value != "" {
			values = append(values, value)
			header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	add(identity.HeaderRequestID, requestID)
	add(identity.HeaderAssertion, a.Token)
	for i, plain := range h.plain {
		add(plain.name, a.plain[i])
	}
}

// keysMaxAge is how long others may keep the key set: less than a key is published before it signs,
// and no longer than an upstream itself trusts a key that was withdrawn.
const keysMaxAge = time.Minute

func (h *Handler) serveKeys(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("the key set is read by GET, not by %s", r.Method))
	}
	jwks := h.keyring.JWKS()
	header := w.Header()
	header.Set("Content-Type", "application/jwk-set+json")
	header.Set("Content-Length", strconv.Itoa(len(jwks)))
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keysMaxAge.Seconds())))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(jwks)
	return err
}
