// Package httpapi is the backend's HTTP interface: JSON over the entities of package store, their
// deletions and their Trash, with an OpenAPI document and a page about every problem.
//
// Routes, schemas and the document follow from the declarations of the entities; a new entity needs no
// line here. Requests are read strictly: what is not declared is refused, and no answer ever holds
// a value, or a name, that a client has sent. It knows neither SQL nor tokens: package caller says who is
// asking, package store for which organization. Huma describes the interface and judges values by the
// published schemas; routing and reading are our own, because what net/http and Huma forgive is refused
// here. Start with [New].
package httpapi
