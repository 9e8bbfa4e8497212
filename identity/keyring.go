package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Settling is how long a key is published before it signs, so that every node and every verifier
// has it by then.
const Settling = 10 * time.Minute

// maxKeys bounds a source and a published set: rotation needs two or three.
const maxKeys = 100

// KeyFile is a private key as its source holds it.
type KeyFile struct {
	// Name orders keys of one age, and stands in errors.
	Name string
	// PEM is one PKCS#8 Ed25519 block.
	PEM []byte
	// Modified is when it was put there; the zero time means long ago.
	Modified time.Time
}

// KeySource lists private keys. [Directory] is one.
type KeySource interface {
	// Keys returns all of them. A source that cannot be read whole returns an error, never a part.
	Keys(ctx context.Context) ([]KeyFile, error)
}

// KeyringEvent is a change in a Keyring's state, for the log of whoever opened it.
type KeyringEvent struct {
	// Err is why the source could not be read; the keys last read stay in use. Nil when it could.
	Err error
	// KeyID is the key that signs, Published the number of keys in the set.
	KeyID     string
	Published int
}

// KeyringConfig is what OpenKeyring needs.
type KeyringConfig struct {
	Source KeySource
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Report is called, from the goroutine that reloads, when an event differs from the one before.
	Report func(KeyringEvent)
}

// Keyring holds the keys that sign: it publishes all of them, signs with one, and follows its source
// while running. It is safe for concurrent use.
type Keyring struct {
	source KeySource
	now    func() time.Time
	report func(KeyringEvent)

	mu    sync.Mutex // serialises Reload
	known map[string]time.Time
	last  KeyringEvent

	keys atomic.Pointer[keys]
}

// keys is one reading of the source, oldest first.
type keys struct {
	ordered []agedKey
	jwks    []byte
}

type agedKey struct {
	*signingKey
	name  string
	since time.Time
}

// OpenKeyring reads the source for the first time. An unreadable or empty source is an error.
func OpenKeyring(ctx context.Context, config KeyringConfig) (*Keyring, error) {
	k := &Keyring{source: config.Source, now: config.Now, report: config.Report}
	if k.now == nil {
		k.now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if k.report == nil {
		k.report = func(KeyringEvent) {}
	}
	if err := k.Reload(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads the source again. On an error the keys last read stay in use.
func (k *Keyring) Reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := k.read(ctx)
	if err == nil {
		k.keys.Store(next)
	}
	if current := k.keys.Load(); current != nil {
		event := KeyringEvent{Err: err, KeyID: k.current().id, Published: len(current.ordered)}
		if !sameEvent(event, k.last) {
			k.last = event
			k.report(event)
		}
	}
	return err
}

// Run reloads at every tick until ctx ends.
func (k *Keyring) Run(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			_ = k.Reload(ctx) // reported
		}
	}
}

// KeyID is the key that signs at this moment.
func (k *Keyring) KeyID() string { return k.current().id }

// JWKS is the published key set, RFC 7517, as JSON. The caller must not change it.
func (k *Keyring) JWKS() []byte { return k.keys.Load().jwks }

// current is the newest key that has settled. Where none has, as on the first start, it is the
// oldest: whatever knows any of the keys knows that one.
func (k *Keyring) current() *signingKey {
	ordered := k.keys.Load().ordered
	if len(ordered) > 1 {
		now := k.now()
		for i := len(ordered) - 1; i > 0; i-- {
			if now.Sub(ordered[i].since) > Settling {
				return ordered[i].signingKey
			}
		}
	}
	return ordered[0].signingKey
}

func (k *Keyring) read(ctx context.Context) (*keys, error) {
	files, err := k.source.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read identity keys: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("read identity keys: there are none")
	}
	if len(files) > maxKeys {
		return nil, fmt.Errorf("read identity keys: %d of them, at most %d are published", len(files), maxKeys)
	}
	ordered := make([]agedKey, 0, len(files))
	known := make(map[string]time.Time, len(files))
	for _, file := range files {
		key, err := parseKey(file.PEM)
		if err != nil {
			return nil, fmt.Errorf("read identity keys: %s: %w", file.Name, err)
		}
		if _, twice := known[key.id]; twice {
			return nil, fmt.Errorf("read identity keys: %s holds the key of another file: delete one of them", file.Name)
		}
		since := k.publishedSince(key.id, file.Modified)
		known[key.id] = since
		ordered = append(ordered, agedKey{signingKey: key, name: file.Name, since: since})
	}
	slices.SortFunc(ordered, func(a, b agedKey) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	k.known = known
	return &keys{ordered: ordered, jwks: renderJWKS(ordered)}, nil
}

// publishedSince dates a key. A key that appears while running is as old as its appearance, because
// copying tools keep the times of files; one that is known keeps its date, because mounts of secrets
// give all files a new one at every change.
func (k *Keyring) publishedSince(id string, modified time.Time) time.Time {
	if since, ok := k.known[id]; ok {
		return since
	}
	if now := k.now(); k.known != nil && modified.Before(now) {
		return now
	}
	return modified
}

func sameEvent(a, b KeyringEvent) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return a.KeyID == b.KeyID && a.Published == b.Published && text(a.Err) == text(b.Err)
}
