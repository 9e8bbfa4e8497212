// Package softdelete keeps rows that can be deleted and brought back: repositories over entities that
// are declared once, deletions that take along what depends on a row, their undoing, and the Trash.
//
// A row is live, or trashed by exactly one deletion. Every read goes by one predicate, every deletion
// is one unit with its rows, its counts and its audit trail, and restoring works on the deletion, never
// on timestamps. It knows PostgreSQL by Bun, and neither HTTP nor who signs in: a [Tx] says for which
// organization and actor it works. Start with [Declare], [NewRepository] and [Deletions].
package softdelete
