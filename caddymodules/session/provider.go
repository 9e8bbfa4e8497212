package session

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
)

// Provider is an OpenID provider at which people can sign in.
type Provider struct {
	// Name is the provider's name here: in addresses, user ids and metrics. Letters, digits, - and _.
	Name string `json:"name,omitempty"`

	// Issuer is the provider's address, exactly as it calls itself.
	Issuer string `json:"issuer,omitempty"`

	// ClientID is this site's name at the provider.
	ClientID string `json:"client_id,omitempty"`

	// ClientSecret proves it; `file:` and a path takes it from a file. Default: none, a public client.
	ClientSecret string `json:"client_secret,omitempty"`

	// Scopes are asked for. Default: openid, profile, email.
	Scopes []string `json:"scopes,omitempty"`

	// Claims are kept in the session, for rules, placeholders and the upstream. Default: email, name, groups.
	Claims []string `json:"claims,omitempty"`

	// UserID makes {http.auth.user.id}: `provider:sub`, or with one provider `sub` or a claim that never
	// changes and is nobody else's. Default: provider:sub.
	UserID string `json:"user_id,omitempty"`

	// Allow lists who may sign in at all. Each must be fulfilled. Default: everybody whom the provider knows.
	Allow []Requirement `json:"allow,omitempty"`

	// AuthParams are added to the addresses that people are sent to.
	AuthParams map[string]string `json:"auth_params,omitempty"`

	// UserInfo has the provider's userinfo endpoint asked for more claims. Default: false.
	UserInfo bool `json:"userinfo,omitempty"`

	// Leeway is how far the provider's clock may differ, at most 5m. Default: 30s.
	Leeway caddy.Duration `json:"leeway,omitempty"`

	// CA is a PEM file with the certificates by which the provider's own is trusted. Default: the system's.
	CA string `json:"ca,omitempty"`
}

// Requirement is fulfilled by who has one of the values in the claim.
type Requirement struct {
	// Claim is a claim's name.
	Claim string `json:"claim,omitempty"`
	// Values are the alternatives.
	Values []string `json:"values,omitempty"`
}

// userIDProvider is UserID's default, userIDSubject the provider's own name for a person alone.
const (
	userIDProvider = "provider:sub"
	userIDSubject  = "sub"
)

// provider is a Provider in use.
type provider struct {
	*oidc.Provider
	config *Provider
	key    providerKey
	entry  *providerEntry
	// claims are published as placeholders. Groups have a field of their own.
	claims []string
	// stored are the claims that a session stores: claims and those of `allow`. A ticket carries the first
	// ones that fit.
	stored []string
}

// providerKey is the pool's key of a provider: a digest of its settings, secrets included. What is
// known of a provider survives the reloads that do not change them.
type providerKey [sha256.Size]byte

// providerEntry is a provider that is being watched, and who is told of it.
type providerEntry struct {
	*oidc.Provider
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu       sync.Mutex
	handlers []*Handler
}

// join returns the provider, to be given back by release.
func (c *Provider) join(h *Handler) (*provider, error) {
	resolved := *c
	if err := resolved.resolve(); err != nil {
		return nil, fmt.Errorf("provider %q: %w", c.Name, err)
	}
	settings, err := json.Marshal(&resolved) //nolint:gosec // for a digest
	if err != nil {
		return nil, err
	}
	key := providerKey(sha256.Sum256(settings))
	value, loaded, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return resolved.open(h) })
	if err != nil {
		return nil, err
	}
	entry := value.(*providerEntry)
	if loaded {
		entry.mu.Lock()
		entry.handlers = append(entry.handlers, h)
		entry.mu.Unlock()
	}
	p := &provider{Provider: entry.Provider, config: &resolved, key: key, entry: entry, claims: resolved.keptClaims(), stored: resolved.storedClaims()}
	return p, nil
}

// release gives back what join has taken.
func (p *provider) release(h *Handler) error {
	p.entry.mu.Lock()
	p.entry.handlers = slices.DeleteFunc(p.entry.handlers, func(other *Handler) bool { return other == h })
	p.entry.mu.Unlock()
	_, err := pool.Delete(p.key)
	return err
}

// resolve replaces placeholders and reads files.
func (c *Provider) resolve() error {
	repl := caddy.NewReplacer()
	for setting, text := range map[string]*string{"issuer": &c.Issuer, "client_id": &c.ClientID} {
		if *text = repl.ReplaceKnown(*text, ""); *text == "" {
			return fmt.Errorf("%s is empty after its placeholders are replaced: set the variable that it names", setting)
		}
	}
	if c.ClientSecret == "" {
		return nil
	}
	secret, err := readSecret("client_secret", c.ClientSecret)
	if err != nil {
		return err
	}
	c.ClientSecret = secret
	return nil
}

// readSecret is a setting's value after its placeholders are replaced, or what is in the file that it
// names. A line break at the end of a file is not part of it.
func readSecret(setting, value string) (string, error) {
	value = caddy.NewReplacer().ReplaceKnown(value, "")
	if path, ok := strings.CutPrefix(value, "file:"); ok {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", setting, err)
		}
		value = string(content)
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", fmt.Errorf("%s is empty after its placeholders are replaced: set the variable or write the file that it names", setting)
	}
	return value, nil
}

// open begins to watch the provider.
func (c *Provider) open(h *Handler) (*providerEntry, error) {
	client, err := c.httpClient()
	if err != nil {
		return nil, fmt.Errorf("provider %q: %w", c.Name, err)
	}
	e := &providerEntry{}
	e.Provider, err = oidc.New(oidc.Config{
		Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Scopes: c.Scopes, AuthParams: c.AuthParams, UserInfo: c.UserInfo, Leeway: time.Duration(c.Leeway),
		HTTPClient: client, Cache: storageCache{e}, OnStatus: e.tell,
	})
	if err != nil {
		return nil, err
	}
	e.handlers = []*Handler{h}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.ended.Go(func() { e.Run(ctx) })
	return e, nil
}

// Destruct implements caddy.Destructor.
func (e *providerEntry) Destruct() error {
	e.stop()
	e.ended.Wait()
	return nil
}

// newest is the handler of the newest configuration.
func (e *providerEntry) newest() *Handler {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.handlers) == 0 {
		return nil
	}
	return e.handlers[len(e.handlers)-1]
}

// tell logs that the provider became ready or unready, or begins or ceases to fail.
func (e *providerEntry) tell(s oidc.Status) {
	h := e.newest()
	if h == nil {
		return
	}
	provider := zap.String("provider", s.Provider)
	switch {
	case s.Err != nil && s.Ready:
		h.logger.Warn("identity provider does not answer, going by what is known of it", provider, zap.Error(s.Err))
	case s.Err != nil:
		h.logger.Error("identity provider cannot be used, nobody can sign in there", provider, zap.Error(s.Err))
	case s.Ready && !s.Restored:
		h.logger.Info("identity provider is ready", provider)
	}
}

func (c *Provider) httpClient() (*http.Client, error) {
	if c.CA == "" {
		return nil, nil //nolint:nilnil // The provider has a default.
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca: there is no certificate in %s: it must be a PEM file", c.CA)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}, nil
}

// keptClaims are the claims that the session keeps: that of the user's id first, since a ticket keeps
// the first that fit.
func (c *Provider) keptClaims() []string {
	names := slices.Clone(c.Claims)
	if id := c.idClaim(); id != "" {
		names = slices.Insert(slices.DeleteFunc(names, func(name string) bool { return name == id }), 0, id)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == claimGroups })
}

// storedClaims are the claims that a session stores, most important first: the claim of the user's id,
// those of `allow`, which every request is checked against, and the published ones.
func (c *Provider) storedClaims() (names []string) {
	add := func(name string) {
		if name != "" && name != claimGroups && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(c.idClaim())
	for _, q := range c.Allow {
		add(q.Claim)
	}
	for _, name := range c.Claims {
		add(name)
	}
	return names
}

// allowsBy reports whether `allow` looks at the claim.
func (c *Provider) allowsBy(claim string) bool {
	return slices.ContainsFunc(c.Allow, func(q Requirement) bool { return q.Claim == claim })
}

// idClaim is the claim that names the user, empty if sub does.
func (c *Provider) idClaim() string {
	if c.UserID == userIDProvider || c.UserID == userIDSubject {
		return ""
	}
	return c.UserID
}

// storageCache keeps what is known of a provider in Caddy's storage, which nodes may share.
type storageCache struct{ entry *providerEntry }

const cachePrefix = "gatehouse/oidc/"

var errNoStorage = errors.New("no configuration is loaded")

func (c storageCache) storage() (certmagic.Storage, error) {
	if h := c.entry.newest(); h != nil {
		return h.ctx.Storage(), nil
	}
	return nil, errNoStorage
}

// Load implements oidc.Cache.
func (c storageCache) Load(ctx context.Context, name string) ([]byte, error) {
	storage, err := c.storage()
	if err != nil {
		return nil, err
	}
	return storage.Load(ctx, cachePrefix+name)
}

// Store implements oidc.Cache.
func (c storageCache) Store(ctx context.Context, name string, document []byte) error {
	storage, err := c.storage()
	if err != nil {
		return err
	}
	return storage.Store(ctx, cachePrefix+name, document)
}

var (
	_ caddy.Destructor = (*providerEntry)(nil)
	_ oidc.Cache       = storageCache{}
)
