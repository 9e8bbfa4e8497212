// Package degraded is the limiter's store that keeps its promise when Redis does not: it asks the
// shared store while that answers, decides at this node's share of each limit while it does not, and
// hands over what was admitted meanwhile when it is back.
//
// It knows nothing of Redis: it is told by [Store.LinkUp] and [Store.LinkDown] how the connection
// is, and of the other nodes by a [Census]. Start with [Store].
package degraded
