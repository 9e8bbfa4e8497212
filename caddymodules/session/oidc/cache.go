package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Cache keeps documents over restarts and shares them between nodes. What it holds is believed: who
// can write to it can sign anybody in.
type Cache interface {
	// Load returns what was stored under name, or an error that is fs.ErrNotExist.
	Load(ctx context.Context, name string) ([]byte, error)
	Store(ctx context.Context, name string, document []byte) error
}

// cachedDocument is the document in the cache: what the provider said, and when.
type cachedDocument struct {
	Issuer           string          `json:"issuer"`
	Discovery        json.RawMessage `json:"discovery"`
	DiscoveryFetched time.Time       `json:"discovery_fetched"`
	Keys             json.RawMessage `json:"keys"`
	KeysFetched      time.Time       `json:"keys_fetched"`
}

// cacheName is a file name in any storage.
func (p *Provider) cacheName() string {
	sum := sha256.Sum256([]byte(p.cfg.Issuer))
	return "oidc-" + hex.EncodeToString(sum[:8]) + ".json"
}

// keep stores what is known.
func (p *Provider) keep(ctx context.Context) {
	if p.cfg.Cache == nil {
		return
	}
	k := cachedDocument{Issuer: p.cfg.Issuer}
	k.Keys, k.KeysFetched = p.keys.document()
	p.mu.Lock()
	k.Discovery, k.DiscoveryFetched = p.rawMeta, p.metaTime
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	document, err := json.Marshal(k)
	if err == nil {
		err = p.cfg.Cache.Store(ctx, p.cacheName(), document)
	}
	p.cacheResult("keep", err)
}

// restore takes what was stored, if it would be believed if it came now.
func (p *Provider) restore(ctx context.Context) {
	if p.cfg.Cache == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	document, err := p.cfg.Cache.Load(ctx, p.cacheName())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = p.restoreFrom(document)
	}
	p.cacheResult("restore", err)
}

func (p *Provider) restoreFrom(document []byte) error {
	var k cachedDocument
	if err := json.Unmarshal(document, &k); err != nil {
		return err
	}
	m, err := readMetadata(k.Discovery, &p.cfg)
	if err != nil {
		return err
	}
	now := p.now()
	for _, fetched := range []time.Time{k.DiscoveryFetched, k.KeysFetched} {
		if fetched.After(now.Add(p.cfg.Leeway)) {
			return nil // from a wrong clock: it could be believed for ever
		}
	}
	if err := p.keys.restore(k.Keys, k.KeysFetched); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.meta == nil {
		p.meta, p.rawMeta, p.metaTime, p.restored = m, k.Discovery, k.DiscoveryFetched, true
	}
	return nil
}

func (p *Provider) cacheResult(verb string, err error) {
	if err != nil {
		err = fmt.Errorf("%s endpoints and keys of provider %q: %w", verb, p.cfg.Name, err)
	}
	p.mu.Lock()
	p.cacheErr = err
	p.mu.Unlock()
}
