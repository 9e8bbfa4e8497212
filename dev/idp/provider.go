package idp

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Provider is the OpenID provider, an http.Handler for the root of its issuer's address. It is safe
// for concurrent use.
type Provider struct {
	issuer     string
	secure     bool
	users      []User
	adminToken string
	life       time.Duration
	now        func() time.Time
	client     *http.Client
	keys       *keyRing
	handler    http.Handler
	closed     chan struct{}
	closeOnce  sync.Once

	mu       sync.Mutex
	clients  map[string]Client
	sessions map[string]*session // by the cookie's value
	codes    map[string]*code
	access   map[string]*grant // by jti
	refresh  map[string]*refreshToken
	faults   []Fault
	calls    map[string]int
	notices  []Notice
	lastJTI  string // of the last logout token, for the fault that repeats it
}

// session is somebody signed in at the provider.
type session struct {
	id       string // the sid claim
	user     User
	acr      string
	authTime time.Time
	clients  map[string]bool // which took part, guarded by Provider.mu
}

// grant is what a user allowed a client; its access and refresh tokens die with it.
type grant struct {
	client  Client
	session *session
	scope   []string
	revoked bool // guarded by Provider.mu
}

// New makes a provider. Close it to release requests that a fault holds.
func New(c Config) (*Provider, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	keys, err := newKeyRing(c.Algorithm)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		issuer: c.Issuer, secure: strings.HasPrefix(c.Issuer, "https:"), users: c.Users,
		adminToken: c.AdminToken, life: time.Duration(c.AccessSeconds) * time.Second,
		now: c.Now, client: c.HTTPClient, keys: keys, closed: make(chan struct{}),
		clients: map[string]Client{}, sessions: map[string]*session{}, codes: map[string]*code{},
		access: map[string]*grant{}, refresh: map[string]*refreshToken{}, calls: map[string]int{},
	}
	for _, client := range c.Clients {
		p.clients[client.ID] = client
	}
	p.handler = p.routes()
	return p, nil
}

// routes names each endpoint as faults and Calls do.
func (p *Provider) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern, endpoint string, h http.HandlerFunc) {
		mux.Handle(pattern, p.count(endpoint, p.sabotage(endpoint, h)))
	}
	handle("GET /.well-known/openid-configuration", "discovery", p.serveDiscovery)
	handle("GET /jwks", "jwks", p.serveKeys)
	handle("GET /authorize", "authorize", p.serveAuthorize)
	handle("POST /authorize", "authorize", p.serveAuthorize)
	handle("POST /login", "login", sameOrigin(p.serveLogin))
	handle("POST /token", "token", p.serveToken)
	handle("GET /userinfo", "userinfo", p.serveUserinfo)
	handle("POST /userinfo", "userinfo", p.serveUserinfo)
	handle("GET /logout", "logout", p.serveLogout)
	handle("POST /logout", "logout", p.serveLogout)
	handle("POST /logout/confirm", "logout", sameOrigin(p.serveLogoutConfirm))
	mux.HandleFunc("GET /{$}", p.serveHome)
	mux.Handle("/admin/", p.admin())
	return mux
}

// sameOrigin guards the forms of our own pages: no other site may sign anybody in or out with them.
func sameOrigin(h http.HandlerFunc) http.HandlerFunc {
	return http.NewCrossOriginProtection().Handler(h).ServeHTTP
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	p.handler.ServeHTTP(w, r)
}

// Issuer is the address of the provider.
func (p *Provider) Issuer() string { return p.issuer }

// SetClient registers a client, or replaces the one with its id.
func (p *Provider) SetClient(c Client) error {
	if err := c.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.ID] = c
	return nil
}

// RotateKeys signs with a new key from now on; keep leaves the others published.
func (p *Provider) RotateKeys(keep bool) error { return p.keys.rotate(keep) }

// Calls counts the requests that an endpoint has seen: discovery, jwks, authorize, login, token,
// userinfo or logout.
func (p *Provider) Calls(endpoint string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[endpoint]
}

func (p *Provider) allCalls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

// Close lets go of requests that a fault holds. The provider answers no more sensibly after it.
func (p *Provider) Close() { p.closeOnce.Do(func() { close(p.closed) }) }

func (p *Provider) count(endpoint string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.calls[endpoint]++
		p.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (p *Provider) clientByID(id string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[id]
	return c, ok
}

// serveDiscovery describes the provider (OpenID Connect Discovery 1.0).
func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	doc := map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.issuer + "/authorize",
		"token_endpoint":                                 p.issuer + "/token",
		"userinfo_endpoint":                              p.issuer + "/userinfo",
		"jwks_uri":                                       p.issuer + "/jwks",
		"end_session_endpoint":                           p.issuer + "/logout",
		"scopes_supported":                               []string{"openid", "profile", "email", "groups", "offline_access"},
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{p.keys.alg},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post", "none"},
		"code_challenge_methods_supported":               []string{"S256"},
		"acr_values_supported":                           []string{acrPassword, acrSecondFactor},
		"prompt_values_supported":                        []string{"none", "login", "select_account"},
		"claims_supported":                               []string{"sub", "name", "preferred_username", "email", "email_verified", "groups", "acr", "amr", "auth_time", "sid"},
		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
	}
	if p.hits("discovery", "wrong_issuer") {
		doc["issuer"] = "https://other.example"
	}
	writeJSON(w, http.StatusOK, doc)
}

func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, p.keys.published())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // a client that has gone needs no answer
}

// writeError answers a client's request as RFC 6749, 5.2 does.
func writeError(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

var _ http.Handler = (*Provider)(nil)
