// Package backend tells stories about the built backend before a real PostgreSQL: how it starts, what it
// refuses, how it stops, and what becomes of requests while the database goes away under them.
package backend
