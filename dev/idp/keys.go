package idp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// signingKey is one private key with its name in the key set.
type signingKey struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func newSigningKey(alg string) (signingKey, error) {
	k := signingKey{id: randomString(8), alg: jose.SignatureAlgorithm(alg)}
	var err error
	switch k.alg {
	case jose.ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256, jose.PS256:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.EdDSA:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return signingKey{}, fmt.Errorf("algorithm must be ES256, RS256, PS256 or EdDSA, got %q", alg)
	}
	return k, err
}

func (k signingKey) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"}
}

// keyRing holds the published keys, the one that signs first.
type keyRing struct {
	alg string

	mu   sync.Mutex
	keys []signingKey
}

func newKeyRing(alg string) (*keyRing, error) {
	r := &keyRing{alg: alg}
	return r, r.rotate(false)
}

// rotate puts a new key first. The one before it stays published if keep is set, as while tokens that
// it signed are still about.
func (r *keyRing) rotate(keep bool) error {
	k, err := newSigningKey(r.alg)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !keep {
		r.keys = nil
	}
	r.keys = append([]signingKey{k}, r.keys...)
	return nil
}

func (r *keyRing) current() signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[0]
}

func (r *keyRing) published() jose.JSONWebKeySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range r.keys {
		set.Keys = append(set.Keys, k.public())
	}
	return set
}

// payload returns the claims of a token that one of the published keys has signed.
func (r *keyRing) payload(token string) ([]byte, error) {
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(r.alg)})
	if err != nil {
		return nil, err
	}
	return jws.Verify(r.published())
}
