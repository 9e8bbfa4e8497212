package httpapi

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// A madeRow is a row that chance has made: its references by field name, and all its columns but those.
type madeRow struct {
	entity       *softdelete.Entity
	id           string
	organization string
	references   map[string]string
	columns      map[string]any
}

// dataset is the set S of the differential test, and what is deleted of it.
type dataset struct {
	rows  []*madeRow
	roots []*madeRow // deleted in this order, each with what it takes along
	gone  map[*madeRow]bool
}

// makeDataset makes the same rows of a seed each time: every id, text and time in them.
func makeDataset(seed uint64) *dataset {
	random := rand.New(rand.NewPCG(seed, 1))
	d := &dataset{gone: map[*madeRow]bool{}}
	clock := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	users := []string{"u-olga", "u-adam", "u-mia", "u-max"}
	for _, organization := range []string{"ours", "theirs"} {
		for _, e := range store.Entities {
			if e.Root {
				continue
			}
			for i := range 4 + random.IntN(3) {
				clock = clock.Add(time.Duration(1+random.IntN(5000)) * time.Second)
				r := &madeRow{
					entity: e, id: fmt.Sprintf("%s-%s-%d", organization, e.Kind, i), organization: organization,
					references: map[string]string{}, columns: map[string]any{},
				}
				d.fill(r, random, users, clock, i)
				d.rows = append(d.rows, r)
			}
		}
	}
	d.choose(random)
	return d
}

// fill gives a row its columns, and references to rows that were made before it.
func (d *dataset) fill(r *madeRow, random *rand.Rand, users []string, clock time.Time, i int) {
	r.columns["created_by"] = users[random.IntN(len(users))]
	for _, f := range r.entity.Fields {
		owner := users[random.IntN(len(users))]
		value := sample(f, r.id, owner, func(f *softdelete.Field) any {
			if f.Nullable && random.IntN(4) == 0 {
				return nil
			}
			candidates := d.of(r.organization, f.Target)
			r.references[f.Name] = candidates[random.IntN(len(candidates))].id
			return nil
		})
		switch {
		case f.Target != "" || value == nil:
			continue
		case f.Type == softdelete.Timestamp:
			value = clock
		case f.Type == softdelete.Number:
			value = fmt.Sprintf("%d.%02d", random.IntN(1000), random.IntN(100))
		case f.Enum != nil:
			value = f.Enum[random.IntN(len(f.Enum))]
		case f.User && random.IntN(3) == 0 && f.Nullable:
			continue
		}
		r.columns[f.Column] = value
	}
	// Keys that are unique among live rows.
	switch {
	case r.entity.Membership:
		r.columns["user_id"], r.columns["role"] = r.id+"-user", "viewer"
		if i == 0 {
			r.columns["role"] = "owner"
		}
	case r.entity.Kind == "role-permissions", r.entity.Kind == "user-roles":
		roles := d.of(r.organization, "roles")
		r.references["roleId"] = roles[i%len(roles)].id
		if r.entity.Kind == "user-roles" {
			r.columns["user_id"] = users[i/len(roles)%len(users)]
		} else {
			r.columns["permission_id"] = fmt.Sprintf("perm-%d", 1+i/len(roles))
		}
	}
}

// of are the rows of a kind that are made already.
func (d *dataset) of(organization, kind string) (rows []*madeRow) {
	for _, r := range d.rows {
		if r.entity.Kind == kind && r.organization == organization {
			rows = append(rows, r)
		}
	}
	return rows
}

// choose chooses what is deleted: of every kind one row at least, and of some a second one.
func (d *dataset) choose(random *rand.Rand) {
	for _, e := range store.Entities {
		rows := d.of("ours", e.Kind)
		if len(rows) == 0 {
			continue
		}
		first := random.IntN(len(rows))
		if e.Membership {
			first = 0 // an owner, so that the other one is the last
		}
		d.roots = append(d.roots, rows[first])
		if random.IntN(2) == 0 && !e.Membership {
			d.roots = append(d.roots, rows[(first+1)%len(rows)])
		}
	}
	random.Shuffle(len(d.roots), func(i, j int) { d.roots[i], d.roots[j] = d.roots[j], d.roots[i] })
	for _, r := range d.roots {
		d.take(r)
	}
}

// take marks a row as gone, and all that it takes along.
func (d *dataset) take(r *madeRow) {
	d.gone[r] = true
	for _, child := range d.rows {
		for _, f := range child.entity.Fields {
			if f.Cascade && f.Target == r.entity.Kind && child.references[f.Name] == r.id && !d.gone[child] {
				d.take(child)
			}
		}
	}
}

// isGone reports whether a row of an id is.
func (d *dataset) isGone(id string) bool {
	return slices.ContainsFunc(d.rows, func(r *madeRow) bool { return r.id == id && d.gone[r] })
}

// load inserts the rows; without what is gone, and references to it.
func (w *world) load(d *dataset, without bool) {
	w.t.Helper()
	for _, r := range d.rows {
		if without && d.gone[r] {
			continue
		}
		if user, ok := r.columns["user_id"].(string); ok && r.entity.Membership {
			w.exec("insert into users (id, email) values ($1, $2)", user, user+"@example.test")
		}
		columns, values := []string{"id", "organization_id"}, []any{r.id, r.organization}
		for _, f := range r.entity.Fields {
			if target := r.references[f.Name]; target != "" && (!without || !d.isGone(target)) {
				columns, values = append(columns, f.Column), append(values, target)
			}
		}
		for column, value := range r.columns {
			columns, values = append(columns, column), append(values, value)
		}
		places := make([]string, len(columns))
		for i := range columns {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		w.exec(fmt.Sprintf("insert into %s (%s) values (%s)", r.entity.Table, strings.Join(columns, ", "), strings.Join(places, ", ")), values...)
	}
	if without { // the users of memberships that are gone are there all the same
		for _, r := range d.rows {
			if user, ok := r.columns["user_id"].(string); ok && r.entity.Membership && d.gone[r] {
				w.exec("insert into users (id, email) values ($1, $2)", user, user+"@example.test")
			}
		}
	}
}

// deleteAll deletes the roots through the repository, and compares what is gone with what was to go.
func (w *world) deleteAll(d *dataset) {
	w.t.Helper()
	who := store.Request{Person: store.Person{Issuer: callertest.Provider, Subject: "olga", Email: "olga@example.test"}}
	for _, r := range d.roots {
		err := w.store.Do(w.t.Context(), who, func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := w.store.Deletions.SoftDelete(ctx, tx, r.entity, r.id, 0, "")
			return err
		})
		if err != nil {
			w.t.Fatalf("delete %s: %v", r.id, err)
		}
	}
	for _, r := range d.rows {
		trashed := w.value("select deleted_at is not null from "+r.entity.Table+" where id = $1", r.id) == "true"
		if trashed != d.gone[r] {
			w.t.Fatalf("%s is trashed: %v, and was to be: %v", r.id, trashed, d.gone[r])
		}
	}
}

func TestMakeDataset(t *testing.T) {
	one, two := makeDataset(7), makeDataset(7)
	if len(one.rows) != len(two.rows) || len(one.gone) != len(two.gone) {
		t.Fatal("a seed gives two sets")
	}
	for i, r := range one.rows {
		if fmt.Sprint(*r) != fmt.Sprint(*two.rows[i]) {
			t.Fatalf("a seed gives two rows: %v %v", *r, *two.rows[i])
		}
	}
	t.Logf("%d rows, of which %d go with %d deletions", len(one.rows), len(one.gone), len(one.roots))
	if len(one.gone) < 40 || len(one.gone) > len(one.rows)/2 {
		t.Errorf("%d of %d rows go", len(one.gone), len(one.rows))
	}
}
