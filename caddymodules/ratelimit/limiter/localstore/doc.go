// Package localstore is the limiter's store in this process's memory: all there is without Redis,
// and what a node falls back on when Redis cannot be asked.
//
// It is bounded in keys and bytes, sharded, and allocates only for a key that is new. For the
// degraded store it also mirrors what Redis says of each key, and remembers what was admitted
// without Redis until that has been merged. Start with [Store].
package localstore
