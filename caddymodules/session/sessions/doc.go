// Package sessions decides who a request belongs to: it validates the session cookie, keeps
// activity exact over several nodes, rotates verifiers, and carries people through an outage of the
// store on a node's copy or on a sealed [Ticket].
//
// It knows nothing of HTTP, Caddy, OpenID Connect or Redis. Its parts are the state machine of one
// session ([Entry], pure, which every [Store] runs at its own clock), what a node may decide alone
// (copies and tickets, also pure), a [Node] that holds copies and activity for a process, and a
// [Manager] that joins them. Start with [Manager.Check], which answers a [Request] with a [Verdict].
//
// Two rules hold everywhere. A node's copy can only say yes, and only to the current verifier of a
// session whose first use is recorded; every no is the store's. And nothing but a logout deletes
// cookies, so a late refusal cannot destroy a newer cookie in the same browser.
package sessions
