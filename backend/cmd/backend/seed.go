package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/cmd/backend/demo"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func seed(ctx context.Context, p process) error {
	if err := none(p); err != nil {
		return err
	}
	dsn, err := admin(p)
	if err != nil {
		return err
	}
	db, err := store.OpenAdmin(dsn, "gatehouse seed")
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", adminURL, err)}
	}
	if err := db.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("connect to the database of %s: %w", adminURL, err), db.Close())
	}
	if err := errors.Join(demo.Fill(ctx, db, time.Now()), db.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "two organizations: %s, and %s. People: %s, %s, %s, %s; each signs in as <name>@example.test.\n",
		demo.First, demo.Second, demo.Owner, demo.Admin, demo.Member, demo.Viewer)
	return err
}
