package redislink

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// startSentinel watches the primary as "main", and fails over by itself after half a second of silence.
func startSentinel(t *testing.T, primary string, extra ...string) (addr string, p *stack.Process) {
	t.Helper()
	server, err := stack.RedisServer()
	require.NoError(t, err)
	port := stack.PortForTest(t)
	host, primaryPort, err := net.SplitHostPort(primary)
	require.NoError(t, err)
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	lines := append([]string{
		"bind 127.0.0.1", "port " + strconv.Itoa(port.Number), "dir " + strconv.Quote(dir),
		fmt.Sprintf("sentinel monitor main %s %s 1", host, primaryPort),
		"sentinel down-after-milliseconds main 500",
		"sentinel failover-timeout main 3000",
	}, extra...)
	require.NoError(t, os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err = stack.Start(ctx, stack.Spec{
		Name: "sentinel", Path: server, Args: []string{conf, "--sentinel"}, Dir: dir, Log: filepath.Join(dir, "log"),
		Ready: func(ctx context.Context) error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", port.Addr())
			if err != nil {
				return err
			}
			return c.Close()
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log())
		}
		_ = p.Kill()
	})
	return port.Addr(), p
}

func TestSentinel_followsThePrimary(t *testing.T) {
	primary := stack.RedisForTest(t, stack.RedisOptions{Name: "primary"})
	replica := stack.RedisForTest(t, stack.RedisOptions{Name: "replica", ReplicaOf: primary})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, replica.WaitReplicated(ctx))
	addr, sentinel := startSentinel(t, primary.Addr())
	deaf := stack.PortForTest(t).Addr()

	opts := Options{Addresses: []string{deaf, addr}, Sentinel: "main", Namespace: "test", NodeID: "node-1"}
	l, j, at := healthy(t, opts, Settings{})
	_, err := evalEcho(t.Context(), l, "x")
	require.NoError(t, err)
	awaitBeat(t, primary)
	assert.Equal(t, primary.Addr(), l.conn.Load().addr)

	time.Sleep(2 * followEvery) // Sentinel must have looked at the replica before it can promote it
	require.NoError(t, primary.Kill())
	_, at = j.awaitState(t, at, StateOpen)
	change, _ := j.awaitState(t, at, StateClosed)
	assert.Equal(t, replica.Addr(), l.conn.Load().addr)
	assert.False(t, change.Arrival.SameRun, "another process")
	_, err = evalEcho(t.Context(), l, "x")
	require.NoError(t, err)

	// Sentinel is no part of the way of a call.
	require.NoError(t, sentinel.Kill())
	time.Sleep(2 * followEvery)
	_, err = evalEcho(t.Context(), l, "x")
	require.NoError(t, err)
	assert.Equal(t, StateClosed, l.State())
	require.NoError(t, l.Close())
	requireNoGoroutines(t)
}

func TestSentinel_leavesAPrimaryThatIsNoneAnyMore(t *testing.T) {
	t.Parallel()
	one := stack.RedisForTest(t, stack.RedisOptions{Name: "one"})
	two := stack.RedisForTest(t, stack.RedisOptions{Name: "two"})
	addr, _ := startSentinel(t, one.Addr())
	l, j, at := healthy(t, Options{Addresses: []string{addr}, Sentinel: "main", NodeID: "n"}, Settings{})

	// A split network: the old primary lives on, and answers.
	sentinel := &sentinels{opts: Options{Addresses: []string{addr}}}
	defer sentinel.close()
	f, err := sentinel.connect(t.Context(), addr)
	require.NoError(t, err)
	sentinel.conn = f
	send := func(args ...string) {
		require.NoError(t, f.client.Do(t.Context(), f.client.B().Arbitrary(args...).Build()).Error())
	}
	send("SENTINEL", "REMOVE", "main")
	host, port, err := net.SplitHostPort(two.Addr())
	require.NoError(t, err)
	send("SENTINEL", "MONITOR", "main", host, port, "1")
	change, at := j.awaitState(t, at, StateOpen)
	assert.ErrorContains(t, change.Reason, two.Addr())
	j.awaitState(t, at, StateClosed)
	assert.Equal(t, two.Addr(), l.conn.Load().addr)
}

func TestSentinel_signsInWhereAsked(t *testing.T) {
	t.Parallel()
	primary := stack.RedisForTest(t, stack.RedisOptions{Password: "s3cret"})
	addr, _ := startSentinel(t, primary.Addr(), "sentinel auth-pass main s3cret", "requirepass s3cret")
	healthy(t, Options{Addresses: []string{addr}, Sentinel: "main", Password: "s3cret", NodeID: "n"}, Settings{})
}

func TestSentinel_tellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	primary := stack.RedisForTest(t, stack.RedisOptions{})
	addr, _ := startSentinel(t, primary.Addr())
	_, j := openFor(t, Options{Addresses: []string{addr}, Sentinel: "other", NodeID: "n"}, Settings{})
	change, _ := j.awaitState(t, 0, StateOpen)
	assert.ErrorContains(t, change.Reason, `no primary named "other"`)
}

// startCluster starts three nodes that share the slots.
func startCluster(t *testing.T) []*stack.Redis {
	t.Helper()
	var nodes []*stack.Redis
	var bus []string
	for i := range 3 {
		port := stack.PortForTest(t)
		bus = append(bus, strconv.Itoa(port.Number))
		nodes = append(nodes, stack.RedisForTest(t, stack.RedisOptions{
			Name:       fmt.Sprint("node ", i),
			AppendOnly: true,
			ACL:        []string{"user gate on >s3cret ~* -@all +@read +@write +@scripting +@connection +time -@dangerous +info +cluster|slots +cluster|shards"},
			Config:     []string{"cluster-enabled yes", "cluster-port " + bus[i], "cluster-node-timeout 1000"},
		}))
	}
	for i, node := range nodes {
		_, err := node.CLI("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*5462), strconv.Itoa(min(i*5462+5461, 16383)))
		require.NoError(t, err)
		if i == 0 {
			continue
		}
		host, port, err := net.SplitHostPort(node.Addr())
		require.NoError(t, err)
		_, err = nodes[0].CLI("CLUSTER", "MEET", host, port, bus[i])
		require.NoError(t, err)
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info, err := node.CLI("CLUSTER", "INFO")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		}, patience, 20*time.Millisecond)
	}
	return nodes
}

func TestCluster(t *testing.T) {
	nodes := startCluster(t)
	const deadline = 500 * time.Millisecond
	opts := Options{Addresses: []string{nodes[0].Addr(), nodes[1].Addr()}, Cluster: true, Namespace: "test", NodeID: "node-1",
		Username: "gate", Password: "s3cret"}
	l, j, at := healthy(t, opts, Settings{OpTimeout: deadline})
	assert.True(t, l.Cluster())

	everywhere := func() error {
		for i := range 30 {
			key := fmt.Sprintf("gh:{%d}:k", i)
			if _, err := l.Eval(t.Context(), Call{Script: echo, Keys: []string{key}, Args: []string{"x"}}); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, everywhere())
	replies := l.Pipeline(t.Context(), []Call{
		{Script: echo, Keys: []string{"{a}"}, Args: []string{"1"}},
		{Script: echo, Keys: []string{"{b}"}, Args: []string{"2"}},
		{Script: echo, Keys: []string{"{c}"}, Args: []string{"3"}},
	})
	for i, reply := range replies {
		require.NoError(t, reply.Err)
		parts, err := reply.Message.ToArray()
		require.NoError(t, err)
		got, err := parts[2].ToString()
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(i+1), got)
	}
	none := l.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Get().Key("k").Build() })
	require.True(t, rueidis.IsRedisNil(none.Error()))

	t.Run("a hung node holds nobody", func(t *testing.T) {
		var h hammer
		stop := make(chan struct{})
		for i := range 20 {
			h.wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(context.Background(), deadline)
					began := time.Now()
					_, err := l.Eval(ctx, Call{Script: echo, Keys: []string{fmt.Sprint(i)}, Args: []string{"x"}})
					if took := int64(time.Since(began)); took > h.longest.Load() {
						h.longest.Store(took)
					}
					cancel()
					if err != nil {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		require.NoError(t, nodes[2].Pause())
		_, at = j.awaitState(t, at, StateOpen)
		time.Sleep(time.Second)
		require.NoError(t, nodes[2].Resume())
		_, at = j.awaitState(t, at, StateClosed)
		close(stop)
		h.wg.Wait()
		h.check(t, deadline)
	})

	t.Run("a node that restarts is another run", func(t *testing.T) {
		require.NoError(t, nodes[1].Kill())
		_, at = j.awaitState(t, at, StateOpen)
		require.NoError(t, nodes[1].Restart(t.Context()))
		change, _ := j.awaitState(t, at, StateClosed)
		assert.False(t, change.Arrival.SameRun)
		assert.True(t, change.Arrival.DataIntact)
		require.Eventually(t, func() bool { return everywhere() == nil }, patience, 50*time.Millisecond)
	})

	require.NoError(t, l.Close())
	requireNoGoroutines(t)
}

func TestCluster_needsTheWord(t *testing.T) {
	t.Parallel()
	node := stack.RedisForTest(t, stack.RedisOptions{Config: []string{
		"cluster-enabled yes", "cluster-port " + strconv.Itoa(stack.PortForTest(t).Number),
	}})
	_, j := openFor(t, optionsFor(node), Settings{})
	change, _ := j.awaitState(t, 0, StateOpen)
	require.ErrorIs(t, change.Reason, errIsCluster)

	alone := stack.RedisForTest(t, stack.RedisOptions{})
	opts := optionsFor(alone)
	opts.Cluster = true
	_, j = openFor(t, opts, Settings{})
	change, _ = j.awaitState(t, 0, StateOpen)
	require.ErrorIs(t, change.Reason, errNotCluster)
}
