package web

import (
	"context"
	"net/url"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// trashPage lists deletions, the newest first.
type trashPage struct {
	Search   string
	Filters  []filter
	Filtered bool
	Rows     []trashRow
	Pages    pager
	// Mine says that it shows what the caller has deleted, and no more.
	Mine bool
}

type trashRow struct {
	ID, Href    string
	Label, Kind string
	When, Stamp string
	Who, Reason string
	Along       string
	Kept        string // until when
	Partial     bool
}

func trash(ctx context.Context, v *visit) (view, error) {
	if !v.mayTrash() {
		return view{}, softdelete.ErrForbidden
	}
	asked := v.r.URL.Query()
	query := softdelete.TrashQuery{
		Kind: asked.Get("kind"), DeletedBy: asked.Get("deletedBy"), Search: asked.Get("q"), Limit: pageSize, Cursor: asked.Get("cursor"),
	}
	if v.byKind[query.Kind] == nil {
		query.Kind = ""
	}
	found, err := v.store.Deletions.Trash(ctx, v.tx, query)
	if err != nil {
		return view{}, err
	}
	body := trashPage{
		Search: query.Search, Filtered: query.Search != "" || query.Kind != "" || query.DeletedBy != "",
		Mine: !v.tx.Role.Manages(), Pages: leaf("/trash", asked, found.Next),
	}
	kinds := filter{ID: "filter-kind", Name: "kind", Title: "What", Value: query.Kind}
	for _, e := range v.entities {
		if !e.Root {
			kinds.Options = append(kinds.Options, option{e.Kind, e.Plural, e.Kind == query.Kind})
		}
	}
	body.Filters = append(body.Filters, kinds)
	if !body.Mine {
		people, err := v.peopleOptions(ctx, query.DeletedBy)
		if err != nil {
			return view{}, err
		}
		body.Filters = append(body.Filters, filter{ID: "filter-deletedBy", Name: "deletedBy", Title: "Deleted by", Value: query.DeletedBy, Options: people})
	}
	for _, d := range found.Rows {
		body.Rows = append(body.Rows, v.trashRow(d))
	}
	return view{look: "trash", title: "Trash", body: body}, nil
}

func (v *visit) trashRow(d softdelete.Deletion) trashRow {
	r := trashRow{
		ID: d.ID.String(), Href: "/trash/" + d.ID.String(), Label: d.Root.Label, Kind: word(v.singular(d.Root.Kind)),
		When: v.format.moment(d.DeletedAt), Stamp: stamp(d.DeletedAt), Who: who(d.DeletedBy), Reason: d.Reason,
		Along: enumerate(v.others(d.Counts, d.Root.Kind)), Partial: d.State == softdelete.Partial,
	}
	if r.Label == "" {
		r.Label = r.Kind
	}
	if !d.PurgeFirst.IsZero() {
		r.Kept = v.format.day(d.PurgeFirst)
	}
	return r
}

// who names a person, who may have left.
func who(p softdelete.Person) string {
	if p.Name == "" {
		return "Former user"
	}
	return p.Name
}

// deletionPage is one deletion, with what is in the Trash of it.
type deletionPage struct {
	trashRow

	State     string
	Tone      string
	Counts    []countRow
	Items     []itemRow
	Kinds     []option // to look at items of one kind
	Pages     pager
	Remaining int
	Several   bool // rows, of which one can come back by itself
	// KeptLast is when the last of its rows may be purged, when that is another day.
	KeptLast string
	Gone     int
}

type countRow struct {
	Kind                               string
	Taken, Remaining, Restored, Purged int
}

type itemRow struct {
	Label, Kind, Href, Action string
}

func deletion(ctx context.Context, v *visit) (view, error) {
	id, err := uuid.Parse(v.r.PathValue("deletion"))
	if err != nil {
		return view{}, softdelete.ErrNotFound
	}
	if !v.mayTrash() {
		return view{}, softdelete.ErrForbidden
	}
	d, err := v.store.Deletions.Deletion(ctx, v.tx, id)
	if err != nil {
		return view{}, err
	}
	asked := v.r.URL.Query()
	kind := asked.Get("kind")
	if v.byKind[kind] == nil {
		kind = ""
	}
	items, err := v.store.Deletions.Items(ctx, v.tx, id, kind, pageSize, asked.Get("cursor"))
	if err != nil {
		return view{}, err
	}
	body := deletionPage{
		trashRow: v.trashRow(d), State: states[d.State], Tone: stateTones[d.State],
		Remaining: d.Remaining.Total(), Several: d.Counts.Total() > 1, Gone: d.Purged.Total(), Pages: leaf("/trash/"+d.ID.String(), asked, items.Next),
	}
	if last := d.PurgeLast; !last.IsZero() && v.format.day(last) != body.Kept {
		body.KeptLast = v.format.day(last)
	}
	for _, kind := range v.kinds(d.Counts) {
		body.Counts = append(body.Counts, countRow{
			Kind: v.plural(kind), Taken: d.Counts[kind], Remaining: d.Remaining[kind], Restored: d.Restored[kind], Purged: d.Purged[kind],
		})
	}
	if left := v.kinds(d.Remaining); len(left) > 1 {
		for _, k := range left {
			body.Kinds = append(body.Kinds, option{"/trash/" + d.ID.String() + "?" + url.Values{"kind": {k}}.Encode(), v.plural(k), k == kind})
		}
	}
	for _, item := range items.Rows {
		row := itemRow{Label: item.Label, Kind: word(v.singular(item.Kind))}
		if row.Label == "" {
			row.Label = row.Kind
		}
		if e := v.byKind[item.Kind]; e != nil {
			row.Href = "/trash/rows" + rowPath(e, item.ID)
			row.Action = "/ui" + rowPath(e, item.ID) + "/restore"
		}
		body.Items = append(body.Items, row)
	}
	return view{look: "deletion", title: "Deletion of " + body.Label, body: body}, nil
}

var states = map[softdelete.State]string{
	softdelete.Trashed: "In the Trash", softdelete.Partial: "Partly restored", softdelete.Restored: "Restored", softdelete.Purged: "Gone for good",
}

var stateTones = map[softdelete.State]string{
	softdelete.Trashed: "", softdelete.Partial: "warn", softdelete.Restored: "good", softdelete.Purged: "bad",
}

func (p *Pages) plural(kind string) string {
	if e := p.byKind[kind]; e != nil {
		return e.Plural
	}
	return kind
}

// trashedPage is a row in the Trash, to be read.
type trashedPage struct {
	detailPage

	Action, Deletion string
}

func trashedRow(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		if !v.mayTrash() {
			return view{}, softdelete.ErrForbidden
		}
		id := v.r.PathValue("id")
		record, err := v.store.Resources[e.Kind].FetchTrashed(ctx, v.tx, id)
		if err != nil {
			return view{}, err
		}
		if err := v.know(ctx, e, record); err != nil {
			return view{}, err
		}
		body := trashedPage{Action: "/ui" + rowPath(e, id) + "/restore"}
		body.Title, body.Kind, body.Singular = v.label(e, record), e.Kind, e.Singular
		body.History = rowPath(e, id) + "/history"
		v.fill(&body.detailPage, e, record)
		if of := record.Life().DeletionID; of != nil {
			body.Deletion = "/trash/" + of.String()
		}
		return view{look: "trashed", title: body.Title, body: body}, nil
	}
}
