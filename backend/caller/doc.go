// Package caller says who is behind a request: it verifies the assertion that the edge has signed, takes
// the request's id and the organization that it wishes for, and keeps the log of requests.
//
// It fails closed: without a valid assertion nothing behind [Verify] is reached. Whether the person has an
// account, and whether the wish is granted, is for package store to find out, in the transaction that
// serves the request. Start with [Log], [Verify] and [From].
package caller
