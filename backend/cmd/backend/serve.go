package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/httpapi"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/backend/web"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// checkInterval is how often a database that does not answer at the start is asked again.
const checkInterval = time.Second

// serve answers requests until ctx ends. It starts without its database, answers 503 and is not ready
// until that is there; a database that it must not serve from ends it.
func serve(ctx context.Context, p process) error {
	if err := none(p); err != nil {
		return err
	}
	c, err := read(p.getenv)
	if err != nil {
		return err
	}
	s := &server{config: c, logger: newLogger(p.stderr, c.level), metrics: newMetrics()}
	return s.run(ctx)
}

type server struct {
	*config
	logger   *zap.Logger
	metrics  *metrics
	store    *store.Store
	stopping atomic.Bool
}

func (s *server) run(ctx context.Context) (err error) {
	s.store, err = store.New(store.Options{
		DSN: s.databaseURL, MaxConns: s.connections, CursorKey: s.cursorKey, Retried: s.metrics.retry,
	})
	if err != nil {
		return usageError{fmt.Errorf("DATABASE_URL: %w", err)}
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	s.metrics.watch(s.store)
	handler, err := s.handler()
	if err != nil {
		return err
	}
	front, err := s.listen(ctx, "BACKEND_LISTEN", s.config.listen, handler)
	if err != nil {
		return err
	}
	back, err := s.listen(ctx, "BACKEND_METRICS_LISTEN", s.metricsListen, s.metrics.handler())
	if err != nil {
		front.close()
		return err
	}
	s.logger.Info("serving", zap.String("version", build()), zap.String("address", front.address()), zap.String("metrics_address", back.address()))

	checking, stopChecking := context.WithCancel(ctx)
	defer stopChecking()
	checked := make(chan error, 1)
	go func() { checked <- s.look(checking) }()
	for serving := true; serving; {
		select {
		case <-ctx.Done():
			serving = false
		case err = <-front.failed:
			serving = false
		case err = <-back.failed:
			serving = false
		case err = <-checked:
			serving, checked = err == nil, nil
		}
	}
	s.stopping.Store(true)
	s.logger.Info("stopping")
	front.stop(s.logger)
	back.close()
	if stopChecking(); checked != nil {
		err = errors.Join(err, <-checked)
	}
	s.logger.Info("stopped")
	return err
}

// look checks the database, and then watches it until ctx ends.
func (s *server) look(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	newWatch(s.store, s.logger, s.metrics).run(ctx)
	return nil
}

// check asks the database until it answers whether this program may serve from it.
func (s *server) check(ctx context.Context) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for told := false; ; {
		err := s.store.Check(ctx)
		switch {
		case err == nil:
			s.logger.Info("database checked")
			return nil
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, store.ErrUnavailable):
			return err
		case !told:
			told = true
			s.logger.Warn("database unavailable, answering 503 until it is there", zap.Error(err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// handler puts together what answers.
func (s *server) handler() (http.Handler, error) {
	keys, err := s.keys()
	if err != nil {
		return nil, usageError{fmt.Errorf("IDENTITY_JWKS_URL: %w", err)}
	}
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: s.issuer, Audience: s.audience, Keys: keys})
	if err != nil {
		return nil, usageError{fmt.Errorf("IDENTITY_ISSUER, IDENTITY_AUDIENCE: %w", err)}
	}
	who := caller.Options{Verifier: verifier, Logger: s.logger.Named("identity")}
	verify := caller.Verify(who)
	api := httpapi.New(httpapi.Options{Store: s.store, Logger: s.logger.Named("api"), Verify: verify, Stopping: s.stopping.Load})
	pages, err := web.New(web.Options{Store: s.store, Logger: s.logger.Named("web"), SignOut: s.signOut})
	if err != nil {
		return nil, err
	}
	who.Refuse = pages.Refuse // people are told on a page
	return caller.Log(caller.LogOptions{
		Logger: s.logger.Named("access"), Observe: s.metrics.observe,
		Quiet: quiet,
	})(fork{api: api, pages: caller.Verify(who)(pages)}), nil
}

// quiet keeps out of the log what is asked every few seconds. That the database has gone a [watch] tells, once.
func quiet(s caller.Served) bool {
	switch s.Route {
	case "GET /health", "GET /api/health":
		return s.Status < http.StatusBadRequest
	case "GET /ready":
		return s.Status < http.StatusBadRequest || s.Status == http.StatusServiceUnavailable
	default:
		return false
	}
}

// fork sends requests to the API or to the pages by their path as it came. An http.ServeMux would clean
// it, and ids may hold anything.
type fork struct{ api, pages http.Handler }

func (f fork) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch first {
	case "api", "problems", "health", "ready", "openapi.json", "openapi.yaml":
		f.api.ServeHTTP(w, r)
	default:
		f.pages.ServeHTTP(w, r)
	}
}

func (s *server) keys() (*identity.KeySet, error) {
	if s.keysFile != "" {
		return identity.KeysFromFile(s.keysFile), nil
	}
	if s.keysCA == nil {
		return identity.KeysFromURL(s.keysURL)
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport is none of net/http")
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: s.keysCA, MinVersion: tls.VersionTLS12}
	return identity.KeysFromURL(s.keysURL, identity.WithClient(&http.Client{Transport: transport}))
}
