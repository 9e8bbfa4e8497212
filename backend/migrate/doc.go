// Package migrate brings a database to the schema of package migrations, and back, while the app that owns it goes on
// reading and writing.
//
// It decides in which steps, how long a step may wait for a lock before it lets the app pass and tries again, and when
// it must not begin: with duplicates under a new unique key, on a database that was not adopted, without rights. It
// knows nothing about what the backend does with the tables. Start with [Open] and [Migrator.Up]; [Command] is the same
// for a person at a terminal.
package migrate
