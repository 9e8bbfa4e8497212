package redislink

import (
	"crypto/tls"
	"time"

	"github.com/redis/rueidis"
)

// Options say where Redis is, as whom to sign in, and who is calling.
type Options struct {
	// Addresses are "host:port", or the absolute path of a unix socket. Of a standalone server one; of
	// Sentinel the sentinels; of Cluster any of its nodes.
	Addresses []string
	// Sentinel is the name under which the sentinels know the primary. Empty: no Sentinel.
	Sentinel string
	// Cluster says that the addresses are nodes of a Redis Cluster.
	Cluster bool

	// Username is that of an ACL user. Empty: the default user.
	Username string
	// Password signs in. Empty: no authentication, unless PasswordFile is set.
	Password string
	// PasswordFile holds the password. It is read for every new connection, so that a rotated password
	// needs no reload. One line break at its end is not part of the password.
	PasswordFile string
	// DB is the number of the database. Cluster knows only 0.
	DB int
	// TLS encrypts the connections when it is not nil. Its ServerName defaults to the host connected to.
	TLS *tls.Config

	// Namespace and NodeID are part of the keys that links and the census write for themselves: nodes with
	// one namespace share their counters, and no two of them may have the same id.
	Namespace, NodeID string
}

// Settings are what one user of Redis wants of its link. The zero value works.
type Settings struct {
	// OpTimeout bounds calls whose context has no deadline of its own. Failures that end within it of one
	// another count as one, and a probe that takes longer is a bad one. Default: 25ms.
	OpTimeout time.Duration
	// CacheBytes is the memory for client-side caching by [Link.DoCache]. Default: 0, no caching.
	CacheBytes int
	// Now is the clock of the breaker and of [Change]. Default: time.Now.
	Now func() time.Time
	// OnChange is told every change of state, like a subscriber that was there from the first moment.
	OnChange func(Change)
	// OnWarning is told what an operator should know and the link can live with, on any goroutine.
	OnWarning func(Warning)
	// OnCall is told every call's end, on the caller's goroutine.
	OnCall func(Result, time.Duration)
}

const (
	// maxInFlight is how many calls of one connection may wait for their answers at the same time.
	// ringScale makes rueidis's ring twice as large, so that it is never full: who waits for a place in it
	// ignores its deadline.
	maxInFlight = 4096
	ringScale   = 13

	// dialTimeout bounds the connect of the transport, greetTimeout the whole way to a usable connection.
	dialTimeout  = 500 * time.Millisecond
	greetTimeout = time.Second
	// flushDelay is how long the client waits after a write for more calls to come, when there are several
	// under way; a call that is alone is sent at once. On two processors, which Redis shared, it made 1.3
	// times as many calls at 16 callers and 1.4 times at 32, and about as many at 4.
	flushDelay = 20 * time.Microsecond
	// writeTimeout is the longest that rueidis lets a write or its own ping hang.
	writeTimeout = time.Second

	// probeEvery is the pace of the supervisor, give or take a fifth: many nodes shall not ping as one.
	probeEvery = 250 * time.Millisecond
	// beatEvery is after how many good pings the beat is written: about once a second.
	beatEvery = 4
	// minPingTimeout is the least time after which an unanswered ping ends a connection.
	minPingTimeout = 500 * time.Millisecond

	// firstBackoff and maxBackoff are the pauses between attempts to connect; refusedBackoff is the pause
	// after Redis refused to let us in, which no hurry will mend.
	firstBackoff   = 25 * time.Millisecond
	maxBackoff     = 500 * time.Millisecond
	refusedBackoff = 2 * time.Second

	defaultOpTimeout = 25 * time.Millisecond
	defaultNamespace = "default"
)

func (s Settings) withDefaults() Settings {
	if s.OpTimeout <= 0 {
		s.OpTimeout = defaultOpTimeout
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}

// clientOption is what all clients here have in common. They differ in how they dial.
func (o Options) clientOption(user string, s Settings) rueidis.ClientOption {
	opt := rueidis.ClientOption{
		InitAddress:   o.Addresses,
		SelectDB:      o.DB,
		ClientName:    "gatehouse/" + user + "@" + o.NodeID,
		ClientSetInfo: rueidis.DisableClientSetInfo,
		// One connection: more would be dialled on the path of a request.
		PipelineMultiplex: -1,
		// Without it a lone call that times out closes the connection under everybody else.
		AlwaysPipelining: true,
		// Large pipelines would be sent over a second connection.
		BlockingPipeline: -1,
		// A call that counts must not be counted twice.
		DisableRetry:      true,
		DisableCache:      s.CacheBytes <= 0,
		CacheSizeEachConn: s.CacheBytes,
		RingScaleEachConn: ringScale,
		ConnWriteTimeout:  writeTimeout,
		MaxFlushDelay:     flushDelay,
		ClusterOption:     rueidis.ClusterOption{MaxMovedRedirections: 3},
	}
	opt.Dialer.Timeout = greetTimeout
	return opt
}
