// Package web is the backend's pages: what a signed-in person sees and does in a browser, for every kind
// of rows that is declared, from the declarations themselves.
//
// Everything works by links and forms. Scripts only make it quicker: a search that answers while one
// types, a preview in a dialog. Nothing inline is ever needed, so that the policy of [Pages] allows none.
// It knows the [store.Store] and the [caller.Caller] of a request, and decides nothing about rows: what a
// role may do is the store's to refuse; pages merely do not offer it. How it looks is written down in
// docs/ui.md. Start with [New].
package web
