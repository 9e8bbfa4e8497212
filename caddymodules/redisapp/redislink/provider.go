package redislink

import "time"

// Provider is what the Caddy app named "redis" offers to other modules. They get it by
// ctx.AppIfConfigured("redis") and a type assertion; without the app they work in this process alone.
type Provider interface {
	// Configured is false when the address was empty after its placeholders were replaced. Then modules work
	// as if there were no app.
	Configured() bool
	// Namespace separates installations that share a Redis.
	Namespace() string
	// NodeID is this process's name in keys and in the census.
	NodeID() string
	// Acquire returns the link of the user ("limits", "sessions"). It is shared by all who ask for it, and
	// survives reloads that leave the connection's settings alone. The app gives it back when the
	// configuration is unloaded; the caller must not close it. Of several opTimeouts the longest holds.
	Acquire(user string, opTimeout time.Duration) (*Link, error)
	// Census counts the nodes. It is never closed by the caller; nil when Redis is not configured.
	Census() *Census
}
