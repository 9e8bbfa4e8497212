package assertidentity

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

const (
	// reloadEvery is how often keys are looked for.
	reloadEvery = time.Minute
	// openTimeout bounds the first look, which in storage may have to wait for another node.
	openTimeout = 30 * time.Second
)

// pool holds what handlers share and what outlives a configuration.
var pool = caddy.NewUsagePool()

// keyringKey says where keys are: in a directory or, where that is "", in a storage.
type keyringKey struct {
	directory string
	storage   certmagic.Storage
}

// keyring is shared by all handlers with the same keys.
type keyring struct {
	*identity.Keyring
	key  any
	stop context.CancelFunc
	done chan struct{}
}

// joinKeyring opens the keys in a directory or, for "", in the configuration's storage.
func joinKeyring(ctx caddy.Context, directory string) (*keyring, error) {
	if directory == "" {
		return joinStored(ctx.Storage())
	}
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return join(keyringKey{directory: absolute}, identity.Directory(absolute), absolute)
}

func joinStored(storage certmagic.Storage) (*keyring, error) {
	// A storage of a type that is no map key is not shared: each handler has a keyring of its own.
	var key any = new(keyringKey)
	if reflect.TypeOf(storage).Comparable() {
		key = keyringKey{storage: storage}
	}
	return join(key, storedKeys{storage}, "storage")
}

func join(key any, source identity.KeySource, place string) (*keyring, error) {
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return openKeyring(key, source, place) })
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return value.(*keyring), nil
}

// openKeyring reads the keys and keeps following them until Destruct.
func openKeyring(key any, source identity.KeySource, place string) (*keyring, error) {
	// The keyring outlives the configuration that opens it, so its logger is Caddy's own.
	logger := caddy.Log().Named("http.handlers.assert_identity").With(zap.String("keys", place))
	opening, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if stored, ok := source.(storedKeys); ok {
		if err := stored.makeFirst(opening); err != nil {
			return nil, err
		}
	}
	opened, err := identity.OpenKeyring(opening, identity.KeyringConfig{Source: source, Report: report(logger)})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	k := &keyring{Keyring: opened, key: key, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		ticker := time.NewTicker(reloadEvery)
		defer ticker.Stop()
		k.Run(running, ticker.C)
	}()
	return k, nil
}

// report logs what changes in a keyring.
func report(logger *zap.Logger) func(identity.KeyringEvent) {
	return func(e identity.KeyringEvent) {
		if e.Err != nil {
			logger.Error("identity keys unreadable, keeping the last ones", zap.Error(e.Err), zap.String("key_id", e.KeyID))
			return
		}
		logger.Info("identity keys", zap.String("key_id", e.KeyID), zap.Int("published", e.Published))
	}
}

// release gives up one use of the keyring.
func (k *keyring) release() error {
	_, err := pool.Delete(k.key)
	return err
}

// Destruct implements caddy.Destructor: the last user has gone.
func (k *keyring) Destruct() error {
	k.stop()
	<-k.done
	return nil
}
