package oidc

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrFlow says that a sealed flow cannot be used: absent, tampered with, sealed for another site or
// by a key that is gone, too old, or not yet begun. They look the same from outside.
var ErrFlow = errors.New("no login under way")

// SealKey is a named secret of 32 bytes.
type SealKey struct {
	ID     string
	Secret []byte
}

// FlowSealer seals flows for a cookie and opens them again. It is safe for concurrent use.
type FlowSealer struct {
	seal    string // id of the key that seals
	keys    map[string]cipher.AEAD
	binding []byte
	now     func() time.Time
}

// maxFlow bounds a sealed flow in bytes; browsers hold cookies to 4096.
const maxFlow = 4000

// futureFlow is how far other nodes' clocks may be ahead.
const futureFlow = 2 * time.Minute

// NewFlowSealer makes a sealer: the first key seals, all open. The binding (namespace, host) is not
// stored, but what was sealed under one binding opens under no other. A nil now is time.Now.
func NewFlowSealer(keys []SealKey, binding string, now func() time.Time) (*FlowSealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("sealing logins needs a key: set `secret`")
	}
	if now == nil {
		now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	s := &FlowSealer{seal: keys[0].ID, keys: map[string]cipher.AEAD{}, binding: []byte("gh-flow1\x00" + binding), now: now}
	for _, k := range keys {
		if k.ID == "" || strings.Trim(k.ID, base64URL) != "" || len(k.ID) > 32 {
			return nil, fmt.Errorf("secret %q: a key id has 1 to 32 letters, digits, - and _", k.ID)
		}
		if len(k.Secret) != 32 {
			return nil, fmt.Errorf("secret %q: must have 32 bytes, has %d", k.ID, len(k.Secret))
		}
		if s.keys[k.ID] != nil {
			return nil, fmt.Errorf("secret %q: is there twice", k.ID)
		}
		// The same secret seals other things too: each purpose has its own key.
		derived, err := hkdf.Key(sha256.New, k.Secret, nil, "gh flow", chacha20poly1305.KeySize)
		if err != nil {
			return nil, fmt.Errorf("secret %q: %w", k.ID, err)
		}
		if s.keys[k.ID], err = chacha20poly1305.NewX(derived); err != nil {
			return nil, fmt.Errorf("secret %q: %w", k.ID, err)
		}
	}
	return s, nil
}

// Seal returns a cookie value: key id, a dot, and nonce and ciphertext in base64url.
func (s *FlowSealer) Seal(f Flow) (string, error) {
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false) // six bytes for every & of an address
	if err := e.Encode(f); err != nil {
		return "", fmt.Errorf("seal flow: %w", err)
	}
	// A nonce of 192 bits can be drawn at random however often.
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	sealed := s.keys[s.seal].Seal(nonce, nonce, plain.Bytes(), s.aad(s.seal))
	value := s.seal + "." + base64.RawURLEncoding.EncodeToString(sealed)
	if len(value) > maxFlow {
		return "", fmt.Errorf("seal flow: %d bytes do not fit in a cookie", len(value))
	}
	return value, nil
}

// Open returns the flow of a cookie value, or ErrFlow.
func (s *FlowSealer) Open(value string) (Flow, error) {
	id, text, ok := strings.Cut(value, ".")
	aead := s.keys[id]
	if !ok || aead == nil || len(value) > maxFlow {
		return Flow{}, ErrFlow
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < aead.NonceSize() || strings.ContainsAny(text, "\r\n") {
		return Flow{}, ErrFlow
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], s.aad(id))
	if err != nil {
		return Flow{}, ErrFlow
	}
	var f Flow
	if err := json.Unmarshal(plain, &f); err != nil {
		return Flow{}, ErrFlow
	}
	age := s.now().Sub(time.Unix(f.Created, 0))
	if age > FlowLifetime || age < -futureFlow || f.State == "" || f.Nonce == "" || f.Verifier == "" {
		return Flow{}, ErrFlow
	}
	return f, nil
}

func (s *FlowSealer) aad(id string) []byte {
	return append([]byte(id+"\x00"), s.binding...)
}
