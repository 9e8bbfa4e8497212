// Package store is the backend's PostgreSQL: it opens it and refuses a role that could reach too much,
// finds out for whom a request works, gives it a transaction that sees one organization alone, and
// declares the entities of the existing database, each in one place.
//
// It knows Bun, pgx and the roles of the migrations, and neither HTTP nor tokens. Start with [Open] and
// [Entities].
package store
