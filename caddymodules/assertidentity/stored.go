package assertidentity

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/caddyserver/certmagic"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

const (
	// storedAt is the folder of the keys in Caddy's storage.
	storedAt = "gatehouse/identity"
	// storageLock is held while the first key is made.
	storageLock = "gatehouse_identity_key"
)

// storedKeys are the keys in Caddy's storage, which nodes may share.
type storedKeys struct{ storage certmagic.Storage }

// Keys implements identity.KeySource.
func (s storedKeys) Keys(ctx context.Context) ([]identity.KeyFile, error) {
	names, err := s.storage.List(ctx, storedAt, false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s in storage: %w", storedAt, err)
	}
	var files []identity.KeyFile
	for _, name := range names {
		if !strings.HasSuffix(name, ".pem") {
			continue
		}
		data, err := s.storage.Load(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("load %s from storage: %w", name, err)
		}
		info, err := s.storage.Stat(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stat %s in storage: %w", name, err)
		}
		files = append(files, identity.KeyFile{Name: path.Base(name), PEM: data, Modified: info.Modified})
	}
	return files, nil
}

// makeFirst makes a key where there is none. Nodes that start together wait for each other, and find
// the key of the first.
func (s storedKeys) makeFirst(ctx context.Context) (err error) {
	if files, err := s.Keys(ctx); err != nil || len(files) > 0 {
		return err
	}
	if err := s.storage.Lock(ctx, storageLock); err != nil {
		return fmt.Errorf("lock storage to make an identity key: %w", err)
	}
	defer func() {
		err = errors.Join(err, s.storage.Unlock(context.WithoutCancel(ctx), storageLock))
	}()
	if files, err := s.Keys(ctx); err != nil || len(files) > 0 {
		return err
	}
	keyPEM, id, err := identity.GenerateKey()
	if err != nil {
		return err
	}
	if err := s.storage.Store(ctx, path.Join(storedAt, id+".pem"), keyPEM); err != nil {
		return fmt.Errorf("keep the identity key in storage: %w", err)
	}
	return nil
}

var _ identity.KeySource = storedKeys{}
