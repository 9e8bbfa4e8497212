package identity

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fetchTimeout bounds one fetch of a key set: requests wait for it.
	fetchTimeout = 2 * time.Second
	// maxKeySet bounds a key set, in bytes. A key takes about 180 of them.
	maxKeySet = 64 << 10
	// refetchAfter is the least time between two fetches, whatever assertions come; firstAfter is
	// the same as long as no fetch has succeeded yet.
	refetchAfter = 10 * time.Second
	firstAfter   = time.Second
	// staleAfter is the age from which a set is fetched again, so that a key that the edge withdrew
	// is trusted no longer than that.
	staleAfter = time.Minute
)

// KeySet is the edge's published keys, from a URL or a file. It is read when first needed, again
// every minute, and when an assertion names a key that it lacks, at most once in 10 s. When it
// cannot be read the set last read stays in use. It is safe for concurrent use and runs no goroutine:
// one request does the reading, and only requests that cannot be validated without it wait.
type KeySet struct {
	origin string
	load   func(ctx context.Context) ([]byte, error)
	now    func() time.Time

	current atomic.Pointer[publicKeys]

	mu        sync.Mutex
	attempted time.Time
	failure   error
	inFlight  chan struct{} // closed when the fetch under way has ended; nil when there is none
}

// publicKeys is one reading of the set.
type publicKeys struct {
	byID map[string]ed25519.PublicKey
	read time.Time
}

// KeySetOption changes a KeySet's default.
type KeySetOption func(*keySetOptions)

type keySetOptions struct {
	client *http.Client
	now    func() time.Time
}

// WithClient sets the client that fetches, for a private certificate authority. Redirects are
// refused whatever it says, and a fetch takes 2 s at most.
func WithClient(client *http.Client) KeySetOption {
	return func(o *keySetOptions) { o.client = client }
}

// WithClock sets the clock.
func WithClock(now func() time.Time) KeySetOption {
	return func(o *keySetOptions) { o.now = now }
}

// KeysFromURL is the set that `jwks_path` of assert_identity serves. Who can answer in the edge's
// place can make identities: use https, or http over a network that you trust as you trust the
// edge's requests themselves.
func KeysFromURL(address string, options ...KeySetOption) (*KeySet, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("identity keys: %q is not an http or https URL", address)
	}
	o := apply(options)
	client := *o.client
	// A key set that moved is a mistake in the configuration, often a login page in front of it.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &KeySet{origin: u.Redacted(), now: o.now, load: func(ctx context.Context) ([]byte, error) {
		return fetch(ctx, &client, u.String())
	}}, nil
}

// KeysFromFile is a copy of what `jwks_path` serves, kept in a file that is read again when it is
// needed: replace it to rotate keys.
func KeysFromFile(path string, options ...KeySetOption) *KeySet {
	return &KeySet{origin: path, now: apply(options).now, load: func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readBounded(f)
	}}
}

// PublicKey implements [PublicKeys].
func (s *KeySet) PublicKey(ctx context.Context, id string) (ed25519.PublicKey, error) {
	set := s.current.Load()
	if key, ok := set.find(id); ok {
		if s.now().Sub(set.read) > staleAfter {
			_ = s.refresh(ctx, false) // the set last read stays in use
			if key, ok = s.current.Load().find(id); !ok {
				return nil, invalid("its key was withdrawn")
			}
		}
		return key, nil
	}
	failure := s.refresh(ctx, true)
	if key, ok := s.current.Load().find(id); ok {
		return key, nil
	}
	if failure != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeysUnavailable, s.origin, failure)
	}
	return nil, invalid("its key is unknown")
}

// find looks a key up; a nil set holds none.
func (p *publicKeys) find(id string) (ed25519.PublicKey, bool) {
	if p == nil {
		return nil, false
	}
	key, ok := p.byID[id]
	return key, ok
}

// refresh reads the set again unless that was tried a moment ago, and returns why the latest attempt
// failed. With wait it also waits for an attempt that another request is making.
func (s *KeySet) refresh(ctx context.Context, wait bool) error {
	done, mine := s.claim()
	if mine {
		// The set is for all requests, so reading it outlives the one that does it.
		return s.read(context.WithoutCancel(ctx))
	}
	if done != nil && wait {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// claim reports whether the caller must read the set now. If not, done is closed when the attempt under
// way has ended, and nil when there is none.
func (s *KeySet) claim() (done <-chan struct{}, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight != nil {
		return s.inFlight, false
	}
	least := refetchAfter
	if s.current.Load() == nil {
		least = firstAfter
	}
	now := s.now()
	if now.Sub(s.attempted) < least {
		return nil, false
	}
	s.attempted = now
	s.inFlight = make(chan struct{})
	return nil, true
}

// read makes the attempt that claim gave out.
func (s *KeySet) read(ctx context.Context) (err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failure = err
		close(s.inFlight)
		s.inFlight = nil
	}()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	read := s.now()
	data, err := s.load(ctx)
	if err != nil {
		return err
	}
	byID, err := parseJWKS(data)
	if err != nil {
		return err
	}
	s.current.Store(&publicKeys{byID: byID, read: read})
	return nil
}

func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the edge answered %d: is the path of the key set open to this service, without a session?", response.StatusCode)
	}
	return readBounded(response.Body)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeySet {
		return nil, errors.New("the key set is too large")
	}
	return data, nil
}

func apply(options []KeySetOption) keySetOptions {
	o := keySetOptions{client: &http.Client{Timeout: fetchTimeout}, now: time.Now} //nolint:forbidigo // the default of an injected clock
	for _, option := range options {
		option(&o)
	}
	return o
}
