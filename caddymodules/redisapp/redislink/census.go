package redislink

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

var (
	//go:embed heartbeat.lua
	heartbeatSource string
	//go:embed leave.lua
	leaveSource string

	heartbeatScript = NewScript(heartbeatSource)
	leaveScript     = NewScript(leaveSource)
)

const (
	heartbeatEvery = time.Second
	// liveFor is how long a node counts as live after its last heartbeat.
	liveFor = 5 * time.Second
	// knownFor is how long a silent node is kept in the set.
	knownFor = time.Hour
	// leavesTTL is how long the counter of leaves outlives the last leave.
	leavesTTL = 25 * time.Hour
	// memoryFor is how old a remembered count may be.
	memoryFor = 24 * time.Hour
	// rememberEvery is how often an unchanged count is stored anew, to keep it young.
	rememberEvery = 10 * time.Minute
	// leaveTimeout bounds the last words of a node that stops.
	leaveTimeout = 500 * time.Millisecond
)

// Remembered is a count of nodes and what belongs to it.
type Remembered struct {
	Nodes  int       `json:"nodes"`
	Leaves int64     `json:"leaves"`
	At     time.Time `json:"at"`
}

// Memory keeps the count over restarts of this process, for the start with Redis down.
type Memory interface {
	// Load returns ok false when nothing is remembered.
	Load(context.Context) (r Remembered, ok bool, err error)
	Store(context.Context, Remembered) error
}

// CensusSettings are what the census is told. The zero value works.
type CensusSettings struct {
	// Fixed is the number of nodes where the operator knows it; 0 counts them.
	Fixed int
	// Memory is optional.
	Memory Memory
	// OnCount is told each new number of nodes and rank, on the goroutine of the census.
	OnCount func(nodes, rank int)
	// OnForget is told that the remembered count was too old to be used.
	OnForget func(Remembered)
	// OnMemoryError is told that the count cannot be remembered or recalled.
	OnMemoryError func(error)
	// Now is the clock that tells how old a remembered count is. Default: time.Now.
	Now func() time.Time
}

// Census counts the nodes that share a Redis and a namespace. Each says each second that it is alive; the count
// is by the clock of Redis. A nil Census is that of a node alone.
type Census struct {
	settings            CensusSettings
	keys                []string // of heartbeat.lua and leave.lua
	heartbeatArgs, left []string // their arguments

	share atomic.Uint64 // nodes and rank + 1, see publish
	fixed atomic.Int64

	mu      sync.Mutex
	history nodeHistory

	remembered Remembered  // the last that was stored; the heart's
	storing    atomic.Bool // a Store is under way

	ctx      context.Context //nolint:containedctx // The life of its goroutines, from NewCensus to Close.
	stop     context.CancelFunc
	wg       sync.WaitGroup
	starting sync.Once
	link     atomic.Pointer[Link]
}

// NewCensus recalls the remembered count in the background. It counts nobody until Start.
func NewCensus(opts Options, settings CensusSettings) *Census {
	if settings.Now == nil {
		settings.Now = time.Now
	}
	if opts.Namespace == "" {
		opts.Namespace = defaultNamespace
	}
	prefix := "gh:{" + opts.Namespace + "}:"
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	c := &Census{
		settings:      settings,
		keys:          []string{prefix + "nodes", prefix + "leaves"},
		heartbeatArgs: []string{opts.NodeID, ms(liveFor), ms(knownFor)},
		left:          []string{opts.NodeID, ms(leavesTTL)},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.publish(1, -1)
	c.Fix(settings.Fixed)
	if settings.Memory != nil {
		c.wg.Go(c.recall)
	}
	return c
}

// Start begins to count, over a link of its own that the caller closes after the census. Later calls do nothing.
func (c *Census) Start(link *Link) {
	c.starting.Do(func() {
		c.link.Store(link)
		link.Preload(heartbeatScript, leaveScript)
		c.wg.Go(func() { c.run(link) })
	})
}

// Stop ends the heartbeats and says nothing: to the others the node is live for 5 s more.
func (c *Census) Stop() {
	c.stop()
	c.wg.Wait()
}

// Close stops, and tells the others, who then count one less at once. It is for a node that ends, not for one
// that reloads.
func (c *Census) Close() error {
	c.Stop()
	link := c.link.Load()
	if link == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_, err := link.Eval(ctx, Call{Script: leaveScript, Keys: c.keys, Args: c.left})
	if errors.Is(err, ErrUnavailable) {
		return nil // with Redis away there is nobody to tell; the others will miss us in time
	}
	if err != nil {
		return fmt.Errorf("leave the census: %w", err)
	}
	return nil
}

// Share is the number of nodes and the rank of this one among those that are live, from 0; the rank is -1 when
// it is not known, as before the first heartbeat. One atomic load.
func (c *Census) Share() (nodes, rank int) {
	if c == nil {
		return 1, 0
	}
	nodes, rank = c.counted()
	if fixed := c.fixed.Load(); fixed > 0 {
		nodes = int(fixed)
	}
	return nodes, rank
}

// Fix sets the number of nodes, whatever is counted; 0 goes by the count again.
func (c *Census) Fix(nodes int) { c.fixed.Store(int64(nodes)) }

func (c *Census) counted() (nodes, rank int) {
	share := c.share.Load()
	return int(share >> 32), int(share&(1<<32-1)) - 1
}

func (c *Census) publish(nodes, rank int) {
	share := uint64(nodes)<<32 | uint64(rank+1)
	if c.share.Swap(share) != share && c.settings.OnCount != nil {
		c.settings.OnCount(nodes, rank)
	}
}

// run is the heart.
func (c *Census) run(link *Link) {
	returned := make(chan struct{}, 1)
	cancel := link.Subscribe(func(change Change) {
		if change.State == StateClosed {
			select {
			case returned <- struct{}{}:
			default:
			}
		}
	})
	defer cancel()
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		c.heartbeat(link)
		select {
		case <-tick.C:
		case <-returned:
		case <-c.ctx.Done():
			return
		}
	}
}

// heartbeat counts when it is acknowledged. Otherwise all stays as it was: an outage freezes the count.
func (c *Census) heartbeat(link *Link) {
	reply, err := link.Eval(c.ctx, Call{Script: heartbeatScript, Keys: c.keys, Args: c.heartbeatArgs})
	if err != nil {
		return
	}
	numbers, err := reply.AsIntSlice()
	if err != nil || len(numbers) != 3 {
		return
	}
	live, rank, leaves := numbers[0], numbers[1], numbers[2]
	c.mu.Lock()
	c.history.add(sample{live: int(live), leaves: leaves})
	nodes := c.history.nodes()
	c.mu.Unlock()
	c.publish(nodes, int(rank))
	c.remember(Remembered{Nodes: nodes, Leaves: leaves, At: c.settings.Now()})
}

// remember stores a count that is new, or anew. It does not wait: storage may be far away.
func (c *Census) remember(r Remembered) {
	same := r.Nodes == c.remembered.Nodes && r.Leaves == c.remembered.Leaves
	if c.settings.Memory == nil || same && r.At.Sub(c.remembered.At) < rememberEvery {
		return
	}
	if !c.storing.CompareAndSwap(false, true) {
		return // the next heartbeat tries again
	}
	c.remembered = r
	c.wg.Go(func() {
		defer c.storing.Store(false)
		if err := c.settings.Memory.Store(c.ctx, r); err != nil && c.ctx.Err() == nil {
			c.forgetful(fmt.Errorf("remember the number of nodes: %w", err))
		}
	})
}

// recall lets the remembered count be the oldest sighting.
func (c *Census) recall() {
	r, ok, err := c.settings.Memory.Load(c.ctx)
	switch {
	case err != nil && c.ctx.Err() == nil:
		c.forgetful(fmt.Errorf("recall the number of nodes: %w", err))
	case err != nil, !ok:
	case c.settings.Now().Sub(r.At) > memoryFor:
		if c.settings.OnForget != nil {
			c.settings.OnForget(r)
		}
	default:
		c.mu.Lock()
		c.history.remembered(sample{live: r.Nodes, leaves: r.Leaves})
		nodes := c.history.nodes()
		c.mu.Unlock()
		_, rank := c.counted()
		c.publish(nodes, rank)
	}
}

func (c *Census) forgetful(err error) {
	if c.settings.OnMemoryError != nil {
		c.settings.OnMemoryError(err)
	}
}
