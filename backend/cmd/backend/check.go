package main

import (
	"context"
	"fmt"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// check looks for what no migration and no trigger can mend by itself.
func check(ctx context.Context, p process) error {
	if len(p.args) != 1 || p.args[0] != "references" {
		return usagef("say what to check: references")
	}
	dsn, err := admin(p)
	if err != nil {
		return err
	}
	found := 0
	err = store.CheckReferences(ctx, dsn, func(s store.Stray) error {
		found++
		_, err := fmt.Fprintf(p.stdout, "%s.%s: %q of organization %q refers to %s %q of organization %q\n",
			s.Table, s.Column, s.ID, s.Organization, s.Target, s.TargetID, s.TargetOrganization)
		return err
	})
	switch {
	case err != nil:
		return err
	case found > 0:
		return fmt.Errorf("%d rows point into another organization: correct them, or set what may be empty to null", found)
	default:
		_, err = fmt.Fprintln(p.stdout, "no row points into another organization")
		return err
	}
}
