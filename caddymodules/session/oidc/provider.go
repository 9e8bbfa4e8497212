package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// Config is one provider as it is configured.
type Config struct {
	// Name is the provider's name here: in user ids, in callback paths, in flows.
	Name string
	// Issuer is compared byte for byte with what discovery and tokens say.
	Issuer string
	// ClientID and ClientSecret are this site's. Without a secret it is a public client.
	ClientID     string
	ClientSecret string
	// Scopes to ask for. Default: openid profile email. openid is always among them.
	Scopes []string
	// AuthParams are added to authorization requests; none that a login's safety rests on.
	AuthParams map[string]string
	// Audiences are those for which bearer tokens are accepted; none: no bearer tokens.
	Audiences []string
	// UserInfo has the userinfo endpoint asked at each login and refresh.
	UserInfo bool
	// Leeway is how far clocks may differ in expiry, issue time and max_age. Default: 30s.
	Leeway time.Duration
	// AllowHTTP accepts an issuer on plain http that is not on this machine.
	AllowHTTP bool

	// HTTPClient reaches the provider. Default: http.DefaultTransport. Its redirects, cookies and
	// unbounded bodies are not used.
	HTTPClient *http.Client
	// Cache keeps the last good discovery document and keys. Default: nowhere.
	Cache Cache
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// OnStatus is told, by the goroutine of Run, when the provider becomes ready or unready, or starts
	// or stops failing.
	OnStatus func(Status)
}

// Provider is a relying party's view of one OpenID provider. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
	keys   *keySet

	mu       sync.Mutex
	meta     *metadata
	rawMeta  []byte
	metaTime time.Time
	restored bool  // meta is from the cache
	cacheErr error // of the last use of the cache

	statusMu sync.Mutex
	status   Status
}

// Status is what a provider knows of itself.
type Status struct {
	// Provider is its configured name.
	Provider string
	// Ready reports whether logins can begin and tokens be validated.
	Ready bool
	// Restored says that endpoints and keys come from the cache and the provider has not answered yet.
	Restored bool
	// Err is why the last attempt to reach the provider, or to use the cache, failed; nil: it did not.
	Err error
}

// reserved parameters are set by AuthURL alone.
var reserved = []string{
	"response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "max_age", "prompt", "acr_values", "registration",
}

// New validates a configuration. It does not reach out: call Run for that.
func New(c Config) (*Provider, error) {
	if c.Name == "" || c.ClientID == "" {
		return nil, fmt.Errorf("provider %q: a name and a client_id are needed", c.Name)
	}
	if err := checkIssuer(c.Issuer, c.AllowHTTP); err != nil {
		return nil, fmt.Errorf("provider %q: %w", c.Name, err)
	}
	for name := range c.AuthParams {
		if slices.Contains(reserved, name) {
			return nil, fmt.Errorf("provider %q: auth_params cannot set %q", c.Name, name)
		}
	}
	if c.Leeway < 0 || c.Leeway > 5*time.Minute {
		return nil, fmt.Errorf("provider %q: leeway must be between 0s and 5m, got %s", c.Name, c.Leeway)
	}
	c.Leeway = cmp.Or(c.Leeway, 30*time.Second)
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{}
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	p := &Provider{cfg: c, client: boundedClient(c.HTTPClient), now: c.Now, status: Status{Provider: c.Name}}
	p.keys = &keySet{now: c.Now, get: p.fetchKeys, changed: p.keep}
	return p, nil
}

// Name is the provider's configured name.
func (p *Provider) Name() string { return p.cfg.Name }

// Issuer is the provider's configured issuer.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Status returns what the provider knows of itself now.
func (p *Provider) Status() Status {
	p.statusMu.Lock()
	defer p.statusMu.Unlock()
	return p.status
}

const (
	refreshInterval = time.Hour
	retryFirst      = time.Second
	retryMost       = 15 * time.Second
	retryReady      = time.Minute // while what is known still serves
)

// Run finds the provider's endpoints and keys, and keeps them fresh until ctx ends: hourly, and
// sooner after a failure. Nothing waits for it: until it succeeds, logins are ErrUnavailable.
func (p *Provider) Run(ctx context.Context) {
	p.restore(ctx)
	p.report(nil)
	backoff := retryFirst
	for ctx.Err() == nil {
		err := p.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		p.report(err)
		switch {
		case err == nil:
			backoff = retryFirst
			// Nodes that started together should not ask together for ever.
			sleep(ctx, refreshInterval-rand.N(refreshInterval/10)) //nolint:gosec // it need be no secret
		case p.Status().Ready:
			sleep(ctx, retryReady)
		default:
			sleep(ctx, backoff)
			backoff = min(2*backoff, retryMost)
		}
	}
}

// sleep returns when d has passed or ctx has ended.
func sleep(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// refresh asks the provider for its endpoints and keys.
func (p *Provider) refresh(ctx context.Context) error {
	address := strings.TrimSuffix(p.cfg.Issuer, "/") + "/.well-known/openid-configuration"
	raw, err := fetch(ctx, p.client, address, nil)
	if err != nil {
		return fmt.Errorf("discover provider %q: %w", p.cfg.Name, err)
	}
	m, err := readMetadata(raw, &p.cfg)
	if err != nil {
		return fmt.Errorf("discover provider %q: %w", p.cfg.Name, err)
	}
	p.mu.Lock()
	p.meta, p.rawMeta, p.metaTime, p.restored = m, raw, p.now(), false
	p.mu.Unlock()
	if err := p.keys.refetch(ctx, refetchInterval); err != nil && !errors.Is(err, errTooSoon) {
		return fmt.Errorf("fetch keys of provider %q: %w", p.cfg.Name, err)
	}
	return nil
}

func (p *Provider) fetchKeys(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	m := p.meta
	p.mu.Unlock()
	if m == nil {
		return nil, errors.New("the provider's endpoints are not known yet")
	}
	return fetch(ctx, p.client, m.KeysURL, nil)
}

// endpoints returns what discovery found, if it is recent enough to be believed.
func (p *Provider) endpoints() (*metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.meta == nil:
		return nil, fmt.Errorf("%w: provider %q was not reached yet", ErrUnavailable, p.cfg.Name)
	case p.now().Sub(p.metaTime) > maxStale:
		return nil, fmt.Errorf("%w: provider %q has not answered since %s", ErrUnavailable, p.cfg.Name, p.metaTime.UTC().Format(time.RFC3339))
	}
	return p.meta, nil
}

// oauth builds the client of one redirect address.
func (p *Provider) oauth(m *metadata, redirectURI string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: redirectURI, Scopes: p.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthURL, TokenURL: m.TokenURL, AuthStyle: m.style},
	}
}

// report tells OnStatus of a transition.
func (p *Provider) report(err error) {
	_, metaErr := p.endpoints()
	p.mu.Lock()
	next := Status{
		Provider: p.cfg.Name, Ready: metaErr == nil && p.keys.usable(), Err: errors.Join(err, p.cacheErr),
	}
	next.Restored = next.Ready && p.restored
	p.mu.Unlock()
	p.statusMu.Lock()
	before := p.status
	p.status = next
	p.statusMu.Unlock()
	changed := before.Ready != next.Ready || before.Restored != next.Restored || (before.Err == nil) != (next.Err == nil)
	if changed && p.cfg.OnStatus != nil {
		p.cfg.OnStatus(next)
	}
}
