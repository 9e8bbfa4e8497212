// Package identity tests what assert_identity promises, on the built edge: what a client claims never
// reaches the upstream, in whatever spelling and place it is sent, and the two example upstreams, in Go
// and in Node, believe the edge and nobody else.
package identity
