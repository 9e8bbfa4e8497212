package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// How long a connection may take over its parts. The largest answer is a page of 200 rows; a request whose
// transaction takes 20 s has been answered with 503.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 45 * time.Second
	idleTimeout       = 2 * time.Minute
	// stopTimeout is how long requests in flight get when the process must stop.
	stopTimeout = 10 * time.Second
	// abortTimeout is how long those get to roll back that were not done by then.
	abortTimeout = 3 * time.Second
)

// listener is a server on its address.
type listener struct {
	server  *http.Server
	on      net.Listener
	abandon context.CancelFunc // ends the contexts of all requests
	failed  chan error
}

// listen serves the handler on an address, which a variable has given.
func (s *server) listen(ctx context.Context, variable, address string, handler http.Handler) (*listener, error) {
	var config net.ListenConfig
	on, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	// Requests outlive ctx, which only says that no more are to come.
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true) // the edge keeps connections open and needs no more
	l := &listener{on: on, abandon: abandon, failed: make(chan error, 1), server: &http.Server{
		Handler: handler, Protocols: protocols, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    zap.NewStdLog(s.logger.Named("http")),
	}}
	go func() {
		if err := l.server.Serve(on); !errors.Is(err, http.ErrServerClosed) {
			l.failed <- fmt.Errorf("serve on %s: %w", address, err)
		}
	}()
	return l, nil
}

func (l *listener) address() string { return l.on.Addr().String() }

// stop takes no more requests and lets those in flight finish; what takes too long is rolled back.
func (l *listener) stop(logger *zap.Logger) {
	defer l.close()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if l.server.Shutdown(ctx) == nil {
		return
	}
	logger.Warn("requests were not done in time, and are abandoned")
	l.abandon()
	ctx, cancel = context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	_ = l.server.Shutdown(ctx) // close follows
}

func (l *listener) close() {
	l.abandon()
	_ = l.server.Close() // of listeners and connections that nobody waits for
}
