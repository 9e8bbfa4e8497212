// Package migrations holds the SQL that brings a database of the app to the form that the backend needs: the first
// file is the app's own schema, the others change it one thing at a time. Package backend/migrate runs them;
// README.md says how one is written.
package migrations

import "embed"

// OldestServer is the first version of PostgreSQL that has what the migrations use.
const OldestServer = 15

// FS holds the migrations in goose's form, named <version>_<what it does>.sql. A file is never edited once it has
// been released.
//
//go:embed *.sql
var FS embed.FS
