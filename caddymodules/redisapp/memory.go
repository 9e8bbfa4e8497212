package redisapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// storageTimeout bounds what storage may take; nobody waits for it.
const storageTimeout = 10 * time.Second

// memory keeps the number of nodes in Caddy's storage. Nodes that share a storage share the memory, so a new
// one in an outage knows how many others there are.
type memory struct {
	outlets   *outlets
	namespace string
}

func (m *memory) key() string { return path.Join("gatehouse", "census", m.namespace+".json") }

// Load implements redislink.Memory.
func (m *memory) Load(ctx context.Context) (r redislink.Remembered, ok bool, err error) {
	storage := m.outlets.newest().storage
	if storage == nil {
		return r, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	text, err := storage.Load(ctx, m.key())
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, false, fmt.Errorf("%s: %w", m.key(), err)
	}
	return r, true, nil
}

// Store implements redislink.Memory.
func (m *memory) Store(ctx context.Context, r redislink.Remembered) error {
	storage := m.outlets.newest().storage
	if storage == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return storage.Store(ctx, m.key(), text)
}

func (e *censusEntry) forgot(r redislink.Remembered) {
	e.outlets.logger().Warn("remembered number of nodes is older than a day and not used; until redis answers this node counts itself alone",
		zap.Int("nodes", r.Nodes), zap.Time("at", r.At))
}

func (e *censusEntry) forgetful(err error) {
	e.outlets.logger().Warn("number of nodes cannot be kept in storage, so a restart while redis is down counts this node alone", zap.Error(err))
}

// Guards.
var _ redislink.Memory = (*memory)(nil)
