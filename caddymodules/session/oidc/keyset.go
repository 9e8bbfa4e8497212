package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// refetchInterval is the least time between two fetches of the keys, whatever tokens come.
	refetchInterval = 10 * time.Second
	// maxStale is how long keys and endpoints are believed when the provider does not answer.
	maxStale = 24 * time.Hour
)

var (
	errSignature  = errors.New("signature does not fit the key that the token names")
	errUnknownKey = errors.New("the provider publishes no such key")
	errTooSoon    = fmt.Errorf("the keys were fetched less than %s ago", refetchInterval)
)

// keySet holds a provider's public keys. A token that names an unknown key has them fetched, once for
// all who wait and at most each refetchInterval; a bad signature has nothing fetched.
type keySet struct {
	// get fetches the provider's key set document.
	get func(ctx context.Context) ([]byte, error)
	now func() time.Time
	// changed is called after each fetch that succeeded, so that its result can be kept.
	changed func(ctx context.Context)

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	raw       []byte    // the document that keys are from
	fetched   time.Time // of keys
	attempted time.Time
	flight    chan struct{} // closed when the fetch under way ends; nil: none
	lastErr   error         // of the last fetch
}

// verify returns the payload of a token. Errors: errSignature, errUnknownKey, ErrUnavailable.
func (k *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	header := jws.Signatures[0].Header
	for attempt := 0; ; attempt++ {
		keys, fresh := k.named(header.KeyID)
		for i := range keys {
			if keys[i].Algorithm != "" && keys[i].Algorithm != header.Algorithm {
				continue
			}
			if payload, err := jws.Verify(&keys[i]); err == nil && fresh {
				return payload, nil
			}
		}
		// A token without a key id says nothing of which key it means: an unknown key and a bad
		// signature look the same.
		if fresh && len(keys) > 0 && header.KeyID != "" {
			return nil, errSignature
		}
		if attempt > 0 {
			return nil, errUnknownKey
		}
		switch err := k.refetch(ctx, refetchInterval); {
		case err == nil:
		case errors.Is(err, errTooSoon) && fresh:
			return nil, errUnknownKey
		default:
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// named returns the keys of a name, or all for no name, and whether they are recent enough to trust.
func (k *keySet) named(id string) (keys []jose.JSONWebKey, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if id == "" || key.KeyID == id {
			keys = append(keys, key)
		}
	}
	return keys, !k.fetched.IsZero() && k.now().Sub(k.fetched) <= maxStale
}

// refetch fetches the keys, unless they were asked for less than interval ago. Who comes while a
// fetch is under way waits for that one.
func (k *keySet) refetch(ctx context.Context, interval time.Duration) error {
	k.mu.Lock()
	if flight := k.flight; flight != nil {
		k.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return ctx.Err()
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.lastErr
	}
	now := k.now()
	if !k.attempted.IsZero() && now.Sub(k.attempted) < interval {
		defer k.mu.Unlock()
		if k.lastErr != nil {
			return k.lastErr
		}
		return errTooSoon
	}
	k.attempted = now
	flight := make(chan struct{})
	k.flight = flight
	k.mu.Unlock()

	// The others must not lose their keys because this request was cancelled; get has its time-out.
	ctx = context.WithoutCancel(ctx)
	raw, err := k.get(ctx)
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = readKeys(raw)
	}

	k.mu.Lock()
	if err == nil {
		k.keys, k.raw, k.fetched = keys, raw, now
	}
	k.lastErr, k.flight = err, nil
	k.mu.Unlock()
	close(flight)
	if err == nil {
		k.changed(ctx)
	}
	return err
}

// restore takes keys that were fetched earlier, if there are none from the provider yet.
func (k *keySet) restore(raw []byte, fetched time.Time) error {
	keys, err := readKeys(raw)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetched.IsZero() {
		k.keys, k.raw, k.fetched = keys, raw, fetched
	}
	return nil
}

// document returns what the keys were read from, and when it was fetched.
func (k *keySet) document() (raw []byte, fetched time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.raw, k.fetched
}

// usable reports whether there are keys that may be believed.
func (k *keySet) usable() bool {
	_, fresh := k.named("")
	return fresh
}

// readKeys returns the usable keys of a key set document. Keys of a kind that we do not know, private
// and symmetric ones, and those for encryption are passed over; none at all is an error.
func readKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, text := range doc.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil || !key.Valid() || !key.IsPublic() {
			continue
		}
		if key.Use != "" && key.Use != "sig" {
			continue
		}
		if key.Algorithm != "" && !slices.Contains(asymmetric, key.Algorithm) {
			continue
		}
		if weak, ok := key.Key.(*rsa.PublicKey); ok && weak.N.BitLen() < 2048 {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key set: none of its %d keys can verify a signature here", len(doc.Keys))
	}
	return keys, nil
}
