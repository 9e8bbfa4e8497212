package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// jwk is a public Ed25519 key as RFC 7517 and RFC 8037 write it.
type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// renderJWKS publishes the public halves of all keys.
func renderJWKS(ordered []agedKey) []byte {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(ordered))}
	for _, key := range ordered {
		set.Keys = append(set.Keys, jwk{
			KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key.public),
			KeyID: key.id, Use: "sig", Algorithm: algorithm,
		})
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic(err) // it holds strings only
	}
	return append(data, '\n')
}

// parseJWKS reads the Ed25519 keys of a set, by their thumbprints: a key's id is computed, so a set
// cannot give one key the name of another. Keys of other kinds and uses are passed over.
func parseJWKS(data []byte) (map[string]ed25519.PublicKey, error) {
	members, err := readObject(data)
	if err != nil {
		return nil, fmt.Errorf("the key set is %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(members["keys"], &list); err != nil {
		return nil, errors.New(`the key set has no list "keys"`)
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	keys := make(map[string]ed25519.PublicKey, len(list))
	for _, raw := range list {
		key, err := readObject(raw)
		if err != nil {
			return nil, fmt.Errorf("a key of the set is %w", err)
		}
		if _, private := key["d"]; private {
			return nil, errors.New("the key set holds a private key: publish what jwks_path serves, and replace that key")
		}
		if public, ok := readPublicKey(key); ok {
			keys[Thumbprint(public)] = public
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set holds no Ed25519 key for signatures")
	}
	return keys, nil
}

func readPublicKey(key map[string]json.RawMessage) (ed25519.PublicKey, bool) {
	is := func(name, want string) bool {
		var got string
		return readText(key, name, &got) && got == want
	}
	if !is("kty", "OKP") || !is("crv", "Ed25519") {
		return nil, false
	}
	for name, want := range map[string]string{"use": "sig", "alg": algorithm} {
		if _, there := key[name]; there && !is(name, want) {
			return nil, false
		}
	}
	var x string
	if !readText(key, "x", &x) {
		return nil, false
	}
	public, err := decodePart(x)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return nil, false
	}
	return public, true
}
