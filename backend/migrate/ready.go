package migrate

import (
	"context"
)

// ready makes sure that the first step can be taken and the last one reached, as far as that can be seen before.
func (m *Migrator) ready(ctx context.Context) error {
	return m.makeGroups(ctx)
}
