package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// pemType is the PEM block of a PKCS#8 private key, as openssl genpkey writes it.
const pemType = "PRIVATE KEY"

// signingKey is a private key with all that a token needs of it made ready.
type signingKey struct {
	id      string // RFC 7638 thumbprint
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	header  string // the token's first part, encoded
}

// GenerateKey makes a key in the form that a [KeySource] holds: PEM, PKCS#8, Ed25519. It also
// returns the key's id.
func GenerateKey() (keyPEM []byte, id string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("generate identity key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, "", fmt.Errorf("encode identity key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), Thumbprint(public), nil
}

// Thumbprint is the key id of a public key: RFC 7638 over the members that RFC 8037 section 2 requires.
func Thumbprint(public ed25519.PublicKey) string {
	x := base64.RawURLEncoding.EncodeToString(public)
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// parseKey reads one PEM file. Anything beside the one block is refused: a file that holds two keys,
// or was cut in half while it was copied, should not be guessed at.
func parseKey(data []byte) (*signingKey, error) {
	const cure = "make one with `openssl genpkey -algorithm ed25519`"
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block in it: " + cure)
	}
	if block.Type != pemType {
		return nil, fmt.Errorf("its PEM block is %q, not an unencrypted %q (PKCS#8): %s", block.Type, pemType, cure)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the key: keep one key in a file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		// The cause is left out: parsers may quote what they read.
		return nil, errors.New("its PKCS#8 content cannot be read: " + cure)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not Ed25519: %s", parsed, cure)
	}
	public := ed25519.PublicKey(private[len(private)-ed25519.PublicKeySize:])
	id := Thumbprint(public)
	return &signingKey{id: id, private: private, public: public, header: encodeHeader(id)}, nil
}
