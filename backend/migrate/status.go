package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is one migration as the database has it.
type State struct {
	Version int64
	// Name says what the migration does: create_guard.
	Name string
	// AppliedAt is zero while the migration is pending.
	AppliedAt time.Time
}

// Status lists the migrations in order. It changes nothing.
func (m *Migrator) Status(ctx context.Context) ([]State, error) {
	applied, err := m.applied(ctx)
	if err != nil {
		return nil, err
	}
	states := make([]State, 0, len(m.steps))
	for _, s := range m.steps {
		state := State{Version: s.version, Name: s.name()}
		if applied[s.version] {
			err := m.db.QueryRowContext(ctx, "SELECT tstamp FROM public."+versionTable+" WHERE version_id = $1 AND is_applied ORDER BY id DESC LIMIT 1", s.version).
				Scan(&state.AppliedAt)
			if err != nil {
				return nil, fmt.Errorf("read when %s was applied: %w", s.file, err)
			}
		}
		states = append(states, state)
	}
	return states, nil
}

// Plan tells what Up would do, which locks it would hold, and what would stop it. It changes nothing.
func (m *Migrator) Plan(ctx context.Context) error {
	applied, err := m.applied(ctx)
	if err != nil {
		return err
	}
	var obstacles []string
	tables, err := m.appTables(ctx)
	if err != nil {
		return err
	}
	if !applied[baseline] && len(tables) > 0 {
		obstacles = append(obstacles, ErrNotAdopted.Error())
	}
	if unknown := m.unknown(applied); len(unknown) > 0 {
		slices.Sort(unknown)
		m.printf("note: the database has migrations of a newer program: %v", unknown)
	}
	var notReady *NotReadyError
	if err := m.rights(ctx); errors.As(err, &notReady) {
		obstacles = append(obstacles, err.Error())
	} else if err != nil {
		return err
	}
	groups, may, err := m.missingGroups(ctx)
	if err != nil {
		return err
	}
	for _, group := range groups {
		m.printf("role  %s is created", group)
	}
	if len(groups) > 0 && !may {
		obstacles = append(obstacles, "this login may not create roles: let somebody who may run what `backend migrate roles` prints")
	}
	if applied[baseline] || len(tables) > 0 {
		if err := m.duplicates(ctx, map[int64]bool{baseline: true}); err != nil {
			obstacles = append(obstacles, err.Error())
		}
	}
	var blind *BlindError
	if err := m.blind(ctx); errors.As(err, &blind) && !applied[rowLevelSecurity] {
		obstacles = append(obstacles, err.Error())
	} else if err != nil && blind == nil {
		return err
	}
	pending := 0
	for _, s := range m.steps {
		if !applied[s.version] {
			pending++
			m.printf("%05d %s\n      locks: %s", s.version, s.about, s.locks)
		}
	}
	m.printf("%d of %d migrations are pending; a step that has waited %s for a lock gives way and tries again, for %s", pending, len(m.steps), m.opts.LockTimeout, m.opts.Patience)
	for _, obstacle := range obstacles {
		m.printf("stop: %s", obstacle)
	}
	return nil
}

// name is the file's without version and ending.
func (s step) name() string {
	_, name, _ := strings.Cut(strings.TrimSuffix(s.file, ".sql"), "_")
	return name
}
