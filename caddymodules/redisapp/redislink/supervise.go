package redislink

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"time"
)

// supervise connects, watches the connection, and connects again, until ctx ends.
func (l *Link) supervise(ctx context.Context) {
	w := &watch{link: l, heartbeat: newHeartbeat(l.opts, l.user), sentinels: &sentinels{opts: l.opts}}
	defer w.sentinels.close()
	for attempt := 0; ; attempt++ {
		healthy, err := w.live(ctx)
		if ctx.Err() != nil {
			return
		}
		l.complain(err)
		if healthy {
			attempt = 0
		}
		if after(ctx, backoff(attempt, err)) != nil {
			return
		}
	}
}

// watch is what the supervisor knows. Nobody else touches it.
type watch struct {
	link      *Link
	sentinels *sentinels
	conn      *conn
	heartbeat *heartbeat
	runID     string
	arrived   bool // what Redis still knows has been asked since the breaker opened
	rounds    int
	warned    struct {
		denied bool
		policy string
	}
}

// live is one connection from its making to its end. Healthy says that a probe was good in it.
func (w *watch) live(ctx context.Context) (healthy bool, err error) {
	f, err := w.connect(ctx)
	if err != nil {
		return false, err
	}
	w.conn, w.arrived, w.rounds = f, false, 0
	w.link.conn.Store(f)
	w.link.unwell.Store(false)
	following, unfollow := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w.link.opts.Sentinel != "" {
			w.sentinels.follow(following, f)
		}
	}()

	healthy, err = w.attend(ctx)

	w.link.conn.Store(nil)
	if ctx.Err() == nil {
		w.link.breaker.trip(err)
	}
	f.close(err)
	unfollow()
	<-done
	return healthy, err
}

func (w *watch) connect(ctx context.Context) (*conn, error) {
	l := w.link
	opt := l.opts.clientOption(l.user, l.settings)
	if err := l.opts.signIn(&opt); err != nil {
		return nil, err
	}
	switch {
	case l.opts.Cluster:
		return openCluster(ctx, opt, l.opts.TLS)
	case l.opts.Sentinel != "":
		primary, err := w.sentinels.primary(ctx)
		if err != nil {
			return nil, err
		}
		return openLife(ctx, primary, opt, l.opts.TLS)
	case len(l.opts.Addresses) == 0:
		return nil, errors.New("no address of Redis is configured")
	default:
		return openLife(ctx, l.opts.Addresses[0], opt, l.opts.TLS)
	}
}

// attend pings and probes the connection until it is over.
func (w *watch) attend(ctx context.Context) (healthy bool, err error) {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-w.conn.stirred:
		case <-w.conn.dead:
			return healthy, w.conn.cause
		case <-ctx.Done():
			return healthy, context.Cause(ctx)
		}
		good, err := w.round(ctx)
		healthy = healthy || good
		if err != nil {
			return healthy, err
		}
		next.Reset(jitter(probeEvery))
	}
}

// round is one ping or one probe. An error ends the connection.
func (w *watch) round(ctx context.Context) (good bool, err error) {
	patience := max(minPingTimeout, 2*w.link.timeout())
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPingTimeout)
	defer cancel()
	seq := w.conn.inflight.seq()
	if w.link.breaker.State() == StateClosed {
		err = w.ping(ctx)
		if code(err) != "" {
			w.link.breaker.failure(w.link.settings.Now(), err)
		}
	} else {
		err = w.probe(ctx)
	}
	if err == nil || code(err) != "" {
		w.conn.inflight.settle(seq)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errSlow):
		return false, nil
	case code(err) == "READONLY":
		return false, err // the primary is elsewhere now: look for it
	case code(err) != "":
		w.link.complain(err)
		return false, nil
	case context.Cause(ctx) != nil:
		return false, context.Cause(ctx)
	default:
		return false, err
	}
}

// ping makes sure that a healthy link is one. Each fourth time it writes the beat.
func (w *watch) ping(ctx context.Context) error {
	before := w.conn.loaded
	if err := w.loadScripts(ctx); err != nil {
		return err
	}
	if before == 0 {
		if err := w.mayRunScripts(ctx); errors.Is(err, ErrNoRight) {
			w.link.breaker.trip(err)
			return err
		}
	}
	if w.rounds++; w.rounds%beatEvery == 0 {
		return w.writeBeat(ctx)
	}
	return w.reach(ctx)
}

// reach asks for any reply at all, but for the refusals.
func (w *watch) reach(ctx context.Context) error {
	if w.conn.cluster {
		return w.conn.pingAll(ctx)
	}
	err := w.conn.client.Do(ctx, w.conn.client.B().Ping().Build()).Error()
	if code(err) != "" && !isOneOf(err, refusals) || code(err) == "NOPERM" {
		return nil
	}
	return err
}

// probe asks a link that is not healthy whether it is well again. It writes, since a server that is full or
// read-only answers every PING, and it must be as quick as a call.
func (w *watch) probe(ctx context.Context) error {
	if !w.arrived {
		arrival, err := w.inspect(ctx)
		if err != nil {
			w.link.breaker.probe(false, err)
			return err
		}
		w.link.arrival.Store(&arrival)
		w.arrived = true
	}
	err := w.mayRunScripts(ctx)
	began := time.Now()
	if err == nil {
		err = w.writeBeat(ctx)
	}
	if err == nil && w.conn.cluster {
		err = w.conn.pingAll(ctx)
	}
	if err == nil && time.Since(began) > w.link.timeout() {
		err = errSlow
	}
	if w.link.breaker.probe(err == nil, err) {
		w.arrived = false // ask again after the next outage
	}
	return err
}

func (w *watch) writeBeat(ctx context.Context) error {
	before := w.heartbeat.sent
	client := w.conn.client
	w.heartbeat.next(w.link.settings.Now())
	replaced, err := number(client.Do(ctx, w.heartbeat.write(client.B())))
	if err != nil {
		return err
	}
	lost, shared := w.heartbeat.acknowledged(replaced, before)
	if lost {
		w.link.warn(Warning{Kind: DataLost})
	}
	if shared {
		w.link.warn(Warning{Kind: SharedNodeID, Detail: w.link.opts.NodeID})
	}
	return nil
}

func (l *Link) timeout() time.Duration { return time.Duration(l.opTimeout.Load()) }

// moved is told by the breaker, in order.
func (l *Link) moved(to State, reason error) {
	change := Change{State: to, At: l.settings.Now(), Reason: reason}
	l.mu.Lock()
	l.reason, l.kind = reason, kindOf(reason)
	l.mu.Unlock()
	if arrival := l.arrival.Load(); arrival != nil && to != StateOpen {
		change.Arrival = *arrival
	}
	l.changes.push(change)
}

// complain tells why the link is still Open when the reason has become another one.
func (l *Link) complain(reason error) {
	kind := kindOf(reason)
	l.mu.Lock()
	news := l.breaker.State() == StateOpen && kind != l.kind
	if news {
		l.reason, l.kind = reason, kind
	}
	l.mu.Unlock()
	if news {
		l.changes.push(Change{State: StateOpen, At: l.settings.Now(), Reason: reason})
	}
}

func (l *Link) warn(w Warning) {
	if l.settings.OnWarning != nil {
		l.settings.OnWarning(w)
	}
}

// kindOf is what two reasons have in common that differ only in ports and moments.
func kindOf(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var file *fs.PathError
	switch {
	case err == nil:
		return ""
	case code(err) != "":
		return code(err)
	case errors.As(err, &dns):
		return "name"
	case errors.As(err, &certificate):
		return "certificate"
	case errors.As(err, &file):
		return "file"
	case errors.Is(err, errNotCluster), errors.Is(err, errIsCluster):
		return "cluster"
	default:
		return "network"
	}
}

// backoff is the pause before the next attempt to connect.
func backoff(attempt int, err error) time.Duration {
	switch code(err) {
	case "", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN":
		return jitter(min(firstBackoff<<min(attempt, 10), maxBackoff))
	default: // WRONGPASS, NOAUTH, no such database, too many clients
		return jitter(refusedBackoff)
	}
}

// jitter spreads what many nodes would do at the same moment, by a fifth to either side.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5) //nolint:gosec // Spreading load is no secret.
}
