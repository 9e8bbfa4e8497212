package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// keySetPath is where the edge publishes the keys that the backend verifies identities by.
const keySetPath = "/.well-known/gatehouse-jwks.json"

// keySetFile is a copy of the edge's public keys, by which the backend needs to trust no certificate of a CA that was
// made a moment ago. It is read with the first request, and so is there in time.
func (r *run) keySetFile() string { return r.state.path("edge-keys.json") }

const (
	keySetTimeout = 30 * time.Second
	maxKeySet     = 64 << 10
)

// keepKeySet asks the first node for its keys. They are made once, in the storage of the nodes, and nobody changes them
// while the run goes on.
func (r *run) keepKeySet(ctx context.Context) error {
	keys, err := r.askKeySet(ctx)
	if err != nil {
		return fmt.Errorf("the edge's keys, by which the backend knows who is asking: %w", err)
	}
	part := r.keySetFile() + ".part"
	if err := os.WriteFile(part, keys, 0o600); err != nil {
		return err
	}
	return os.Rename(part, r.keySetFile())
}

func (r *run) askKeySet(ctx context.Context) ([]byte, error) {
	root, err := os.ReadFile(r.state.path("storage", "pki", "authorities", "local", "root.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("the edge's own authority has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, keySetTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.sites[0]+keySetPath, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", req.URL, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
}

// keptKey is a random key of 32 bytes, in base64, which stays the same between runs.
func (r *run) keptKey(name string) (string, error) {
	file := r.state.path(name)
	kept, err := os.ReadFile(file)
	if key := strings.TrimSpace(string(kept)); err == nil && key != "" {
		return key, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: it ends the process instead
	text := base64.StdEncoding.EncodeToString(key[:])
	return text, os.WriteFile(file, []byte(text), 0o600)
}
