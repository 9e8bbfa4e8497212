package store

import "github.com/uptrace/bun"

// DB is the pool, on which nobody has entered.
func (s *Store) DB() *bun.DB { return s.db }

// Connections are how many the pool has, idle ones included.
func (s *Store) Connections() int { return s.db.Stats().OpenConnections }
