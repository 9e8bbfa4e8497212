package sessions

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Key is one configured secret with the name under which sealed things refer to it.
type Key struct {
	ID     string
	Secret [32]byte
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

// ParseKey reads a secret of 32 bytes in base64 (standard or URL alphabet, padded or not; spaces
// around it are ignored, as files end in a line break).
func ParseKey(id, secret string) (Key, error) {
	k := Key{ID: id}
	if !keyID.MatchString(id) {
		return k, fmt.Errorf("secret: key id %q must be 1 to 16 letters, digits, - or _", id)
	}
	text := strings.TrimRight(strings.TrimSpace(secret), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	b, err := base64.RawStdEncoding.DecodeString(text)
	// The secret itself stays out of the error.
	if err != nil || len(b) != len(k.Secret) {
		return k, fmt.Errorf("secret %s: must be 32 bytes in base64 (44 characters): make one with `openssl rand -base64 32`", id)
	}
	copy(k.Secret[:], b)
	return k, nil
}

// String hides the secret.
func (k Key) String() string { return "key " + k.ID }

// GoString hides the secret.
func (k Key) GoString() string { return k.String() }

// fingerprint tells two secrets of one name apart without giving either away.
func (k Key) fingerprint() string {
	return k.ID + ":" + hex.EncodeToString(derive(k.Secret[:], "gatehouse key id", 6))
}

// Keys seals with its first key and opens with all of them, so that a key can be replaced without
// anybody being signed out: put the new one second on all nodes, then first, then drop the old.
type Keys struct {
	keys []Key
}

// NewKeys refuses no keys and keys of the same name.
func NewKeys(keys ...Key) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("secret: at least one key is needed")
	}
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if seen[k.ID] {
			return nil, fmt.Errorf("secret: key id %q is used twice: give each key its own", k.ID)
		}
		seen[k.ID] = true
	}
	return &Keys{keys: append([]Key(nil), keys...)}, nil
}

// RandomKeys are keys of this process alone: what they sealed is lost when it ends.
func RandomKeys() *Keys {
	k := Key{ID: "process"}
	_, _ = rand.Read(k.Secret[:]) // never fails: it ends the process instead
	return &Keys{keys: []Key{k}}
}

// Fingerprints are the keys' names with a digest of each, the sealing key first. Nodes compare them.
func (k *Keys) Fingerprints() []string {
	f := make([]string, len(k.keys))
	for i, key := range k.keys {
		f[i] = key.fingerprint()
	}
	return f
}

// Sealer seals for one purpose: what was sealed for another cannot be opened.
func (k *Keys) Sealer(purpose string) *Sealer {
	s := &Sealer{byID: make(map[string]cipher.AEAD, len(k.keys)), first: k.keys[0].ID}
	for _, key := range k.keys {
		s.byID[key.ID] = newAEAD(derive(key.Secret[:], "gatehouse "+purpose, chacha20poly1305.KeySize))
	}
	return s
}

// Sealer encrypts and authenticates. It is safe for concurrent use.
type Sealer struct {
	first string
	byID  map[string]cipher.AEAD
}

// Seal returns length and name of the key, a random nonce, and the sealed text, which opens only
// with the same additional data.
func (s *Sealer) Seal(plaintext, additional []byte) []byte {
	aead := s.byID[s.first]
	sealed := make([]byte, 0, s.Overhead()+len(plaintext))
	sealed = append(sealed, byte(len(s.first)))
	sealed = append(sealed, s.first...)
	return seal(aead, sealed, plaintext, additional)
}

// Open returns the plaintext, or false for everything that this deployment did not seal for this
// purpose with this additional data: there is no telling why.
func (s *Sealer) Open(sealed, additional []byte) ([]byte, bool) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0]) {
		return nil, false
	}
	n := 1 + int(sealed[0])
	aead, ok := s.byID[string(sealed[1:n])]
	if !ok {
		return nil, false
	}
	return open(aead, sealed[n:], additional)
}

// Overhead is how much longer than its plaintext a sealed text is, in bytes.
func (s *Sealer) Overhead() int {
	return 1 + len(s.first) + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
}

// The extended nonce makes random ones safe for as many messages as anybody will ever seal.
func newAEAD(key []byte) cipher.AEAD {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic("sessions: " + err.Error()) // only a key of the wrong length, which derive never makes
	}
	return aead
}

func seal(aead cipher.AEAD, dst, plaintext, additional []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce) // never fails: it ends the process instead
	dst = append(dst, nonce...)
	return aead.Seal(dst, nonce, plaintext, additional)
}

func open(aead cipher.AEAD, sealed, additional []byte) ([]byte, bool) {
	if len(sealed) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, false
	}
	nonce, text := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plaintext, err := aead.Open(nil, nonce, text, additional)
	return plaintext, err == nil
}

func derive(secret []byte, purpose string, length int) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, length)
	if err != nil {
		panic("sessions: " + err.Error()) // only a length beyond 255 hashes
	}
	return key
}
