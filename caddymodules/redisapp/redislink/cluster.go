package redislink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A Cluster's client dials by itself: nodes come, go and move slots. So a conn holds many sockets, a
// call runs in a goroutine of its own that the caller does not wait for (Link.send), and a broken socket is a
// reason to probe, not yet the end.
//
// There is one breaker for all nodes: a link is healthy when every node that owns slots answers. A breaker for
// each node would let the others' keys be counted in Redis while one node is down.

var (
	errNotCluster = errors.New("the server is not a node of a Cluster: leave out \"cluster\" and name one address, or name the primary with \"sentinel\"")
	errIsCluster  = errors.New("the server is a node of a Cluster: add \"cluster\"")
)

// openCluster connects to whichever of the nodes answers, and learns the others.
func openCluster(ctx context.Context, opt rueidis.ClientOption, secure *tls.Config) (*conn, error) {
	f := &conn{cluster: true, dead: make(chan struct{}), stirred: make(chan struct{}, 1)}
	opt.DialCtxFn = func(ctx context.Context, dst string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return f.dial(ctx, dst, secure)
	}
	if err := f.build(ctx, opt); err != nil {
		return nil, err
	}
	if f.client.Mode() != rueidis.ClientModeCluster {
		f.close(errNotCluster)
		return nil, errNotCluster
	}
	return f, nil
}

// lasting is a context for calls of a Cluster's client. A call that was not yet sent when its caller gave up is
// not sent; one that was sent is waited for, so that its goroutine holds its place in flight until it is really
// over, and dials are not cut short by the deadline of whoever came first.
type lasting struct {
	context.Context //nolint:containedctx // It is a context itself.
}

func (lasting) Done() <-chan struct{}       { return nil }
func (lasting) Deadline() (time.Time, bool) { return time.Time{}, false }

// pingAll asks all nodes at once. It fails when one that owns slots does not answer.
func (f *conn) pingAll(ctx context.Context) error {
	nodes := f.client.Nodes()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		silent = make(map[string]error)
		alive  rueidis.Client
	)
	for addr, node := range nodes {
		wg.Go(func() {
			err := node.Do(ctx, node.B().Ping().Build()).Error()
			mu.Lock()
			defer mu.Unlock()
			if err != nil && code(err) == "" {
				silent[addr] = err
				return
			}
			alive = node
		})
	}
	wg.Wait()
	if len(silent) == 0 {
		return nil
	}
	if alive == nil {
		for _, err := range silent {
			return err
		}
	}
	owners, err := slotOwners(ctx, alive)
	if err != nil {
		return err
	}
	for addr, err := range silent {
		if owners[addr] {
			return fmt.Errorf("node %s: %w", addr, err)
		}
	}
	return nil // replicas, and nodes that are no longer of the Cluster
}

// slotOwners are the addresses of the nodes that own slots, as the asked node sees it.
func slotOwners(ctx context.Context, asked rueidis.Client) (map[string]bool, error) {
	ranges, err := asked.Do(ctx, asked.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return nil, fmt.Errorf("cluster slots: %w", err)
	}
	owners := make(map[string]bool)
	for i := range ranges {
		parts, err := ranges[i].ToArray() // first slot, last slot, owner, replicas…
		if err != nil || len(parts) < 3 {
			continue
		}
		owner, err := parts[2].ToArray()
		if err != nil || len(owner) < 2 {
			continue
		}
		host, _ := owner[0].ToString()
		port, _ := owner[1].AsInt64()
		owners[net.JoinHostPort(host, strconv.FormatInt(port, 10))] = true
	}
	return owners, nil
}
