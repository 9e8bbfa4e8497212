package redisapp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// identity is this process's name. It stays in the pool, so that a reload is no new node even where the name
// cannot be kept on disk.
type identity struct{ id string }

// Destruct implements caddy.Destructor.
func (*identity) Destruct() error { return nil }

// identityKey is the pool's key of the identity with a configured name, or of the one that we made.
type identityKey struct{ configured string }

// joinIdentity takes the configured name, or else the one in Caddy's data directory, or else makes one.
func (a *App) joinIdentity() (*identity, error) {
	configured := a.target.options.NodeID
	value, err := a.join(identityKey{configured}, func() (caddy.Destructor, error) {
		if configured != "" {
			return &identity{configured}, nil
		}
		id, err := keptID(filepath.Join(caddy.AppDataDir(), "gatehouse"))
		if err != nil {
			a.logger.Warn("node id cannot be kept, so this node is a new one after each restart; make the data directory writable, or set node",
				zap.String("node", id), zap.Error(err))
		}
		return &identity{id}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*identity), nil
}

// keptID reads the id in the directory, or makes one and keeps it there. With an error the id is one that is not
// kept.
func keptID(dir string) (string, error) {
	path := filepath.Join(dir, "node_id")
	id, err := readID(path)
	if err == nil {
		return id, nil
	}
	id = newID()
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return id, err
	}
	temp, err := os.CreateTemp(dir, "node_id-*")
	if err != nil {
		return id, err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // It is gone when all went well.
	_, err = temp.WriteString(id + "\n")
	if err := errors.Join(err, temp.Close()); err != nil {
		return id, err
	}
	// Of two processes that do this at once the first wins, and both have its id: two nodes with one id are
	// told apart, and warned of, by redislink.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(temp.Name(), path); err != nil { // a file system without links
			return id, err
		}
	}
	kept, err := readID(path)
	if err != nil {
		return id, err
	}
	return kept, nil
}

func readID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(text))
	if !plainName.MatchString(id) {
		return "", fmt.Errorf("%s holds no node id: remove it", path)
	}
	return id, nil
}

// newID begins with the name of the host, for the reader, and ends with what makes it unique.
func newID() string {
	host, _ := os.Hostname() // a node without a name is still a node
	host, _, _ = strings.Cut(host, ".")
	host = strings.Map(func(r rune) rune {
		if r < 0x80 && plainName.MatchString(string(r)) {
			return r
		}
		return '-'
	}, host)
	if host == "" {
		host = "node"
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	return host[:min(len(host), 40)] + "-" + hex.EncodeToString(random)
}
