package softdelete_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

type leaf struct {
	bun.BaseModel `bun:"table:leaves,alias:t"`
	softdelete.Row

	BranchID  string    `bun:"branch_id" json:"branchId" field:"required,parent=branches"`
	Secret    string    `bun:"secret" json:"-" field:"readonly,secret"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
}

type branch struct {
	bun.BaseModel `bun:"table:branches,alias:t"`
	softdelete.Row

	LeafID    *string   `bun:"leaf_id" json:"leafId" field:"parent=leaves"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
}

func spec(kind string) softdelete.Spec {
	return softdelete.Spec{Kind: kind, Singular: kind, Plural: kind, Class: softdelete.Routine}
}

// A declaration that makes no sense is found when the program starts, and so by its first test.
func TestDeclare_refusesWhatMakesNoSense(t *testing.T) {
	type shown struct {
		bun.BaseModel `bun:"table:shown,alias:t"`
		softdelete.Row
		Token     string    `bun:"token" json:"-" field:"secret,list"`
		CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
	}
	type odd struct {
		bun.BaseModel `bun:"table:odd,alias:t"`
		softdelete.Row
		Name string `bun:"name" json:"name" field:"requird"`
	}
	for name, declare := range map[string]func(){
		"no kind":            func() { softdelete.Declare[leaf](softdelete.Spec{}) },
		"a secret in a list": func() { softdelete.Declare[shown](spec("shown")) },
		"an unknown word":    func() { softdelete.Declare[odd](spec("odd")) },
		"a label of nothing": func() { s := spec("leaves"); s.Label = []string{"name"}; softdelete.Declare[leaf](s) },
		"a key of nothing": func() {
			s := spec("leaves")
			s.Unique = []string{"organization_id", "name"}
			softdelete.Declare[leaf](s)
		},
		"a status of nothing": func() { s := spec("leaves"); s.Revoke.Column = "status"; softdelete.Declare[leaf](s) },
		"members of nothing":  func() { s := spec("leaves"); s.Membership = true; softdelete.Declare[leaf](s) },
	} {
		require.Panics(t, declare, name)
	}
}

func TestLink_refusesWhatMakesNoSense(t *testing.T) {
	declared := func() (*softdelete.Entity, *softdelete.Entity) {
		return softdelete.Declare[leaf](spec("leaves")), softdelete.Declare[branch](spec("branches"))
	}
	alone, _ := declared()
	require.PanicsWithValue(t, `softdelete: leaves refers to "branches", which is no entity`, func() { softdelete.Link(alone) })
	leaves, branches := declared()
	require.PanicsWithValue(t, "softdelete: the parents of leaves go in a circle", func() { softdelete.Link(leaves, branches) })
	leaves, _ = declared()
	again, _ := declared()
	unlinked, _ := declared()
	require.PanicsWithValue(t, "softdelete: two entities are called leaves", func() { softdelete.Link(leaves, again) })
	require.PanicsWithValue(t, "softdelete: clients is linked already", func() { softdelete.Link(store.Clients) })
	require.PanicsWithValue(t, "softdelete: leaves is not linked: see Link", func() { softdelete.NewRepository[leaf](unlinked, key) })
	require.Panics(t, func() { softdelete.NewRepository[store.Deal](store.Clients, key) }, "the model of another entity")
}

func TestField_tokens(t *testing.T) {
	tokens := map[string]bool{}
	for _, e := range store.Entities {
		for _, f := range e.Fields {
			if f.Token() {
				tokens[e.Kind+" "+f.Column] = true
			}
		}
	}
	require.Equal(t, map[string]bool{"portal-access access_token": true, "invitations token": true}, tokens)
}

// labelOf names a row as the database should.
func labelOf(e *softdelete.Entity, r softdelete.Record) string {
	value := func(column string) any {
		for _, f := range e.Fields {
			if f.Column == column {
				return f.Value(r)
			}
		}
		return nil
	}
	var words []string
	for _, column := range e.Label {
		if word, _ := value(column).(string); word != "" {
			words = append(words, word)
		}
	}
	if len(words) > 0 {
		return strings.Join(words, " ")
	}
	day, _ := value(e.Sort).(time.Time)
	return e.Singular + " " + day.Format(time.DateOnly)
}

// Rows are called by their label's columns, also where some of them are empty, and else by kind and day.
func TestLabel_ofEveryKind(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.exec(`insert into contacts (id, organization_id, first_name, last_name) values ('half', 'o1', '', 'Two  words '), ('none', 'o1', '', '');
		insert into vendors (id, organization_id, name, created_at) values ('v', 'o1', '', '2026-02-28 23:59:59.999999')`)
	for kind, r := range w.store.Resources {
		must(w, "vic", func(ctx context.Context, tx *softdelete.Tx) (any, error) {
			page, err := r.List(ctx, tx, softdelete.Query{})
			require.NoError(t, err)
			ids, want := []string{}, map[string]string{}
			for _, row := range page.Rows {
				ids = append(ids, row.Key())
				want[row.Key()] = labelOf(r.Entity(), row)
			}
			got, err := w.store.Deletions.Labels(ctx, tx, r.Entity(), ids)
			require.Equal(t, want, got, kind)
			return nil, err
		})
	}
	labels := must(w, "vic", func(ctx context.Context, tx *softdelete.Tx) (map[string]string, error) {
		return w.store.Deletions.Labels(ctx, tx, w.entity("vendors"), []string{"v"})
	})
	require.Equal(t, map[string]string{"v": "Vendor 2026-02-28"}, labels)
}
