package redislink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// memory is a Memory in memory.
type memory struct {
	mu   sync.Mutex
	kept *Remembered
	err  error
}

func (m *memory) Load(context.Context) (Remembered, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || m.err != nil {
		return Remembered{}, false, m.err
	}
	return *m.kept, true, nil
}

func (m *memory) Store(_ context.Context, r Remembered) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = &r
	return m.err
}

type member struct {
	link   *Link
	census *Census
}

func join(t *testing.T, r *stack.Redis, id string, s CensusSettings) member {
	t.Helper()
	opts := optionsFor(r)
	opts.NodeID = id
	l := Open(opts, "census", Settings{OpTimeout: time.Second})
	c := NewCensus(opts, s)
	c.Start(l)
	t.Cleanup(func() { _ = c.Close(); _ = l.Close() })
	return member{l, c}
}

func awaitShare(t *testing.T, c *Census, nodes, rank int) {
	t.Helper()
	var gotNodes, gotRank int
	if !assert.Eventually(t, func() bool {
		gotNodes, gotRank = c.Share()
		return gotNodes == nodes && gotRank == rank
	}, patience, 10*time.Millisecond) {
		require.FailNow(t, "another share", "want %d nodes, rank %d; got %d, %d", nodes, rank, gotNodes, gotRank)
	}
}

func TestCensus(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{AppendOnly: true})
	var kept memory
	a := join(t, r, "a", CensusSettings{Memory: &kept})
	b := join(t, r, "b", CensusSettings{})
	c := join(t, r, "c", CensusSettings{})
	awaitShare(t, a.census, 3, 0)
	awaitShare(t, b.census, 3, 1)
	awaitShare(t, c.census, 3, 2)
	for _, key := range []string{"gh:{test}:nodes", "gh:{test}:beat:census:a"} {
		ttl, err := r.CLI("PTTL", key)
		require.NoError(t, err)
		assert.NotContains(t, ttl, "-", "%s expires", key)
	}

	// A node that leaves in order is gone at once; its rank closes up.
	require.NoError(t, b.census.Close())
	awaitShare(t, a.census, 2, 0)
	awaitShare(t, c.census, 2, 1)
	ttl, err := r.CLI("PTTL", "gh:{test}:leaves")
	require.NoError(t, err)
	assert.NotContains(t, ttl, "-")

	// A node that vanishes is remembered: it may only be cut off from Redis.
	require.NoError(t, a.link.Close())
	require.Eventually(t, func() bool {
		_, rank := c.census.Share()
		return rank == 0 // it no longer counts as live
	}, patience, 50*time.Millisecond)
	awaitShare(t, c.census, 2, 0)

	// An outage freezes what was known, and it is remembered after it.
	require.NoError(t, r.Kill())
	require.Eventually(t, func() bool { return c.link.State() == StateOpen }, patience, time.Millisecond)
	time.Sleep(2 * heartbeatEvery)
	awaitShare(t, c.census, 2, 0)
	require.NoError(t, r.Restart(t.Context()))
	require.Eventually(t, func() bool { return c.link.State() == StateClosed }, patience, time.Millisecond)
	time.Sleep(2 * heartbeatEvery)
	awaitShare(t, c.census, 2, 0)

	remembered, ok, err := kept.Load(t.Context())
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, 2, remembered.Nodes)
	assert.EqualValues(t, 1, remembered.Leaves)
}

func TestCensus_startsOnWhatItRemembers(t *testing.T) {
	now := time.Now()
	down := Options{Addresses: []string{"127.0.0.1:1"}, NodeID: "a"}
	tests := []struct {
		name    string
		give    *memory
		fixed   int
		want    int
		forgets bool
		fails   bool
	}{
		{name: "nothing", give: &memory{}, want: 1},
		{name: "yesterday's count", give: &memory{kept: &Remembered{Nodes: 4, At: now.Add(-23 * time.Hour)}}, want: 4},
		{name: "an older one", give: &memory{kept: &Remembered{Nodes: 4, At: now.Add(-25 * time.Hour)}}, want: 1, forgets: true},
		{name: "storage is down", give: &memory{err: errors.New("no storage")}, want: 1, fails: true},
		{name: "the operator knows better", give: &memory{kept: &Remembered{Nodes: 4, At: now}}, fixed: 7, want: 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var forgot, failed bool
			c := NewCensus(down, CensusSettings{
				Memory: tt.give, Fixed: tt.fixed, Now: func() time.Time { return now },
				OnForget:      func(Remembered) { mu.Lock(); forgot = true; mu.Unlock() },
				OnMemoryError: func(error) { mu.Lock(); failed = true; mu.Unlock() },
			})
			c.wg.Wait() // recalled
			nodes, rank := c.Share()
			assert.Equal(t, tt.want, nodes)
			assert.Equal(t, -1, rank, "not known before the first heartbeat")
			assert.Equal(t, tt.forgets, forgot)
			assert.Equal(t, tt.fails, failed)
			require.NoError(t, c.Close())
		})
	}
}

func TestCensus_fixedNumberKeepsTheRank(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	join(t, r, "a", CensusSettings{})
	b := join(t, r, "b", CensusSettings{Fixed: 5})
	awaitShare(t, b.census, 5, 1)
	b.census.Fix(0)
	awaitShare(t, b.census, 2, 1)
}

func TestCensus_namespacesAreCountedApart(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	a := join(t, r, "a", CensusSettings{})
	opts := optionsFor(r)
	opts.Namespace, opts.NodeID = "other", "b"
	l, _ := openFor(t, opts, Settings{})
	c := NewCensus(opts, CensusSettings{})
	c.Start(l)
	defer c.Close()
	awaitShare(t, a.census, 1, 0)
	awaitShare(t, c, 1, 0)
}

func TestCensus_nobodyIsANodeAlone(t *testing.T) {
	var c *Census
	nodes, rank := c.Share()
	assert.Equal(t, [2]int{1, 0}, [2]int{nodes, rank})
}

func TestHeartbeat_prunesTheForgotten(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	for i, age := range []time.Duration{0, 4 * time.Second, 6 * time.Second, 59 * time.Minute, 61 * time.Minute} {
		at := time.Now().Add(-age).UnixMilli()
		_, err := r.CLI("ZADD", "gh:{test}:nodes", fmt.Sprint(at), fmt.Sprint("node-", i))
		require.NoError(t, err)
	}
	l, _, _ := healthy(t, optionsFor(r), Settings{})
	reply, err := l.Eval(t.Context(), Call{Script: heartbeatScript, Keys: []string{"gh:{test}:nodes", "gh:{test}:leaves"}, Args: []string{"node-9", "5000", "3600000"}})
	require.NoError(t, err)
	numbers, err := reply.AsIntSlice()
	require.NoError(t, err)
	assert.Equal(t, []int64{3, 2, 0}, numbers, "live: 0, 1 and 9; the third in order is ours")
	known, err := r.CLI("ZCARD", "gh:{test}:nodes")
	require.NoError(t, err)
	assert.Equal(t, "5", known, "four that are younger than an hour, and ours")
}
