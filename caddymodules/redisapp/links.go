package redisapp

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// join takes the value of the key from the pool, for as long as this configuration lives.
func (a *App) join(key any, construct caddy.Constructor) (any, error) {
	value, _, err := pool.LoadOrNew(key, construct)
	if err == nil {
		a.held = append(a.held, key)
	}
	return value, err
}

// linkKey is the pool's key of a user's link. A configuration that leads elsewhere, or as somebody else, has
// another one: its link connects while the old one still serves the old configuration's requests.
type linkKey struct {
	target [sha256.Size]byte
	node   string
	user   string
}

// linkEntry is a link, and who watches it.
type linkEntry struct {
	link         *redislink.Link
	linkObserver *linkObserver
}

// Destruct implements caddy.Destructor: no configuration uses the link any more.
func (e *linkEntry) Destruct() error { return e.link.Close() }

func (a *App) joinLink(user string, opTimeout time.Duration) (*linkEntry, error) {
	key := linkKey{a.target.key, a.NodeID(), user}
	value, err := a.join(key, func() (caddy.Destructor, error) {
		return openLink(a.target.options, user, opTimeout, a.logSink, a.metrics), nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*linkEntry), nil
}

// cacheBytes is the memory in which a user's link keeps what Redis has answered, until Redis says that it has
// changed. Nearly every request reads its session; of sessions with many claims it holds some 30,000.
var cacheBytes = map[string]int{"sessions": 64 << 20}

func openLink(o redislink.Options, user string, opTimeout time.Duration, out *logSink, m *metrics) *linkEntry {
	w := newLinkObserver(o, user, m.user(user))
	w.outlets.add(out)
	return &linkEntry{linkObserver: w, link: redislink.Open(o, user, redislink.Settings{
		OpTimeout:  opTimeout,
		CacheBytes: cacheBytes[user],
		OnChange:   w.changed,
		OnWarning:  w.warned,
		OnCall:     w.called,
	})}
}

// censusKey is the pool's key of the census that is taken over a link to the target.
type censusKey struct {
	target [sha256.Size]byte
	node   string
}

// presenceKey is the pool's key of this node among those of a namespace, by whichever way. While it is held the
// node does not leave: a reload may lead to the same Redis by another password.
type presenceKey struct {
	namespace, node string
}

// presence is nothing but its key.
type presence struct{}

// Destruct implements caddy.Destructor.
func (presence) Destruct() error { return nil }

// censusOpTimeout is generous: nobody waits for the census.
const censusOpTimeout = time.Second

// censusEntry is a census, and after start the link that it is taken over.
type censusEntry struct {
	census   *redislink.Census
	outlets  *outlets
	memory   *memory
	presence presenceKey

	link *linkEntry
}

func (a *App) joinCensus() (*censusEntry, error) {
	o := a.target.options
	key := censusKey{a.target.key, o.NodeID}
	value, err := a.join(key, func() (caddy.Destructor, error) { return newCensusEntry(o, a.logSink, a.metrics, a.Nodes), nil })
	if err != nil {
		return nil, err
	}
	return value.(*censusEntry), nil
}

func newCensusEntry(o redislink.Options, out *logSink, m *metrics, nodes int) *censusEntry {
	e := &censusEntry{outlets: new(outlets), presence: presenceKey{o.Namespace, o.NodeID}}
	e.outlets.add(out)
	e.memory = &memory{outlets: e.outlets, namespace: o.Namespace}
	e.census = redislink.NewCensus(o, redislink.CensusSettings{
		Fixed:         nodes,
		Memory:        e.memory,
		OnCount:       m.counted,
		OnForget:      e.forgot,
		OnMemoryError: e.forgetful,
	})
	return e
}

// start is called by each configuration that starts; the last one's number of nodes holds.
func (e *censusEntry) start(out *logSink, o redislink.Options, m *metrics, nodes int) {
	e.outlets.add(out)
	e.census.Fix(nodes)
	if e.link != nil {
		return
	}
	pool.LoadOrStore(e.presence, presence{})
	e.link = openLink(o, censusUser, censusOpTimeout, out, m)
	e.census.Start(e.link.link)
}

// Destruct implements caddy.Destructor.
func (e *censusEntry) Destruct() error {
	if e.link == nil { // a configuration that was only validated
		e.census.Stop()
		return nil
	}
	last, err := pool.Delete(e.presence)
	if last {
		err = errors.Join(err, e.census.Close())
	} else {
		e.census.Stop()
	}
	return errors.Join(err, e.link.link.Close())
}
