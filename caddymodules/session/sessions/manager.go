package sessions

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"
)

// Bounds of the settings.
const (
	// MinIdle leaves room for a flush within the idle time.
	MinIdle = 2 * time.Second
	// MaxRideThrough bounds for how long a stolen pair of cookies could outlive a logout.
	MaxRideThrough = time.Hour

	leastFlush, mostFlush = time.Second, 60 * time.Second
	// mostTicketAge is how old a ticket gets before it is issued anew.
	mostTicketAge = 60 * time.Second
	// carryTime is how long cookies may wait for the headers of their response. A verifier that
	// arrives after its successor was used would sign its owner out, so cookies must be with the browser
	// before a grace period is over: half of it is for the upstream, half for the network.
	carryTime = GracePeriod / 2
	// rotationRetry spares a store that did not answer a rotation.
	rotationRetry = 5 * time.Second
)

// OnMaxSessions says what a login does when the user has MaxSessions already.
type OnMaxSessions uint8

const (
	// EndOldest ends the oldest other session.
	EndOldest OnMaxSessions = iota
	// Deny refuses the login.
	Deny
)

// Config are the settings of one site. Sites of one namespace should agree on all but the issuers.
type Config struct {
	// Namespace keeps deployments apart that share keys or a store.
	Namespace string
	Node      *Node
	Keys      *Keys
	// Issuers are the providers' issuers by configured name. A ticket of another provider is none.
	Issuers map[string]string

	// Idle ends a session without activity, Lifetime ends it always. Defaults: 15m, 24h.
	Idle, Lifetime time.Duration
	// ShortestIdle is the shortest idle time of any route of the namespace. Default: Idle.
	ShortestIdle time.Duration
	// Rotation is how often the verifier changes, zero for never.
	Rotation time.Duration
	// RideThrough is for how long after the store's last word a session holds in an outage, zero for
	// not at all.
	RideThrough time.Duration
	// RevokeReuse ends a session whose retired verifier is presented, instead of refusing it only.
	RevokeReuse bool
	// MaxSessions of a user, zero for no limit, and what happens when there are as many.
	MaxSessions   int
	OnMaxSessions OnMaxSessions

	// Random is for tests. Default: crypto/rand.
	Random io.Reader
}

// Manager decides on requests of one site. It is safe for concurrent use and holds no state: that is
// in its Node and in the store.
type Manager struct {
	c         Config
	node      *Node
	tickets   *Tickets
	flush     time.Duration // F: how long activity may be kept from the store
	ticketAge time.Duration
	seed      maphash.Seed
}

// New checks the settings and makes a Manager.
func New(c Config) (*Manager, error) {
	if c.Idle == 0 {
		c.Idle = 15 * time.Minute
	}
	if c.Lifetime == 0 {
		c.Lifetime = 24 * time.Hour
	}
	if c.ShortestIdle == 0 {
		c.ShortestIdle = c.Idle
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	switch {
	case c.Node == nil || c.Keys == nil:
		return nil, errors.New("sessions: Node and Keys are required")
	case c.ShortestIdle < MinIdle:
		return nil, fmt.Errorf("idle: must be at least %s, got %s", MinIdle, c.ShortestIdle)
	case c.ShortestIdle > c.Idle:
		return nil, fmt.Errorf("idle: a route's must be shorter than the site's %s, got %s", c.Idle, c.ShortestIdle)
	case c.Lifetime < c.Idle:
		return nil, fmt.Errorf("absolute: must be at least idle (%s), got %s", c.Idle, c.Lifetime)
	case c.Rotation != 0 && c.Rotation < time.Second:
		return nil, fmt.Errorf("rotation: must be 0 (off) or at least 1s, got %s", c.Rotation)
	case c.RideThrough < 0 || c.RideThrough > MaxRideThrough:
		return nil, fmt.Errorf("ride_through: must be between 0 and %s, got %s", MaxRideThrough, c.RideThrough)
	case c.MaxSessions < 0:
		return nil, fmt.Errorf("max_sessions: must not be negative, got %d", c.MaxSessions)
	}
	flush := flushInterval(c.ShortestIdle)
	return &Manager{
		c:         c,
		node:      c.Node,
		tickets:   NewTickets(c.Keys, c.Namespace, c.Issuers),
		flush:     flush,
		ticketAge: min(flush, mostTicketAge),
		seed:      maphash.MakeSeed(),
	}, nil
}

// flushInterval is F: a fifteenth of the shortest idle time, between a second and a minute.
func flushInterval(idle time.Duration) time.Duration {
	return min(max(idle/15, leastFlush), mostFlush)
}
