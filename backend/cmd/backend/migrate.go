package main

import (
	"context"
	"errors"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
)

func migrateDatabase(ctx context.Context, p process) error {
	err := migrate.Command(ctx, p.args, p.stdout, p.getenv(adminURL))
	if _, ok := errors.AsType[*migrate.UsageError](err); ok || errors.Is(err, migrate.ErrNoDatabase) {
		return usageError{err}
	}
	return err
}
