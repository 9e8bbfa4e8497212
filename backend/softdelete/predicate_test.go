package softdelete_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Each place that reads live rows passes over the trashed ones. Builds with the tag blanksites, whose tests leave
// out the predicate of one place at a time, show that this test looks at all of them: see TestSites.
func TestPredicate_hidesWhatIsTrashed(t *testing.T) {
	require.Empty(t, newWorld(t).seen())
}

// seen lists the sites at which something trashed is seen.
func (w *world) seen() (sites []string) {
	w.t.Helper()
	w.tree("x")
	w.exec(`insert into roles (id, organization_id, name) values ('r1', 'o1', 'Manager')`)
	ok := func(err error) { require.NoError(w.t, err) }
	for _, root := range [][2]string{{"contacts", "x-k1"}, {"deals", "x-d"}, {"roles", "r1"}} {
		_, err := w.delete("olga", root[0], root[1])
		ok(err)
	}
	_, err := w.create("olga", "roles", `{"name":"Manager"}`)
	ok(err)
	second := w.ask("select id from roles where deleted_at is null")
	twin, err := w.delete("olga", "roles", second)
	ok(err)
	// An owner who has left, and one who stays.
	_, err = w.update("olga", "members", "m-adam", 0, `{"role":"owner"}`)
	ok(err)
	_, err = w.delete("olga", "members", "m-adam")
	ok(err)
	report := func(site string, visible bool) {
		if visible {
			sites = append(sites, site)
		}
	}

	_, err = w.get("olga", "deals", "x-d")
	report("get", err == nil)
	ids, page, err := w.list("olga", "contacts", softdelete.Query{})
	ok(err)
	report("list", len(ids) != 1)
	report("count", page.Total != 1)
	ids, _, err = w.list("olga", "engagements", softdelete.Query{Filter: map[string]string{"contactId": "x-k1"}})
	ok(err)
	report("filter", len(ids) > 0)
	work, err := w.get("olga", "engagements", "x-e")
	ok(err)
	report("mask", work["dealId"] != nil)
	labels := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (map[string]string, error) {
		return w.store.Deletions.Labels(ctx, tx, w.entity("contacts"), []string{"x-k1", "x-k2"})
	})
	report("label", len(labels) != 1)
	_, err = w.update("olga", "contacts", "x-k1", 999, `{"notes":"n"}`)
	report("write", !errors.Is(err, softdelete.ErrNotFound))
	preview := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
		return w.store.Deletions.Preview(ctx, tx, w.entity("clients"), "x-c")
	})
	report("preview", fmt.Sprint(preview.Counts, preview.References) != "map[clients:1 contacts:1] map[engagements:1 invoices:1]")
	deletion, err := w.delete("olga", "clients", "x-c")
	ok(err)
	report("cascade", deletion.Counts["contacts"] != 1)
	_, err = w.restore("olga", twin.ID, false)
	report("twin", err != nil)
	_, err = w.update("olga", "members", "m-olga", 0, `{"role":"admin"}`)
	report("owners", err == nil)
	return sites
}
