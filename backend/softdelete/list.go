package softdelete

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Sizes of pages. A limit of 0 is the default, a larger one than the largest is cut to it.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// maxPage is how long the texts and documents of a page may be together, in bytes, since all of a page is in memory
// at once. A row alone may be longer.
const maxPage = 32 << 20

// MaxSearch is the longest text that lists are searched for, in characters. PostgreSQL compares it with each
// place of a text, and does not stop in between, whatever time is over.
const MaxSearch = 200

// searchProblem is what is wrong with a text to be searched for; empty when nothing is.
func searchProblem(words string) string {
	switch {
	case !storable(words):
		return "type"
	case longer(words, MaxSearch):
		return "too_long"
	default:
		return ""
	}
}

func limitOf(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// List returns live rows, the newest first. It returns ErrCursor, ErrBeyond, or a *FieldError for a filter or
// a search that the entity does not have, and for a limit at which the page would be too large.
func (r *Repository[T]) List(ctx context.Context, tx *Tx, q Query) (Page[*T], error) {
	if err := tx.open(r.entity); err != nil {
		return Page[*T]{}, err
	}
	wanted, err := r.entity.wanted(tx, q)
	if err != nil {
		return Page[*T]{}, err
	}
	list := listing{site: siteList, name: "list", column: r.entity.Sort, clock: "timestamp", wanted: wanted}
	list.covered = tx.live(siteList, r.entity, "t")
	page, err := r.page(ctx, tx, q, list)
	if err != nil || q.Cursor != "" {
		return page, err
	}
	page.Total, err = r.count(ctx, tx, wanted)
	page.Capped = page.Total > MaxTotal
	page.Total = min(page.Total, MaxTotal)
	return page, err
}

// Trash returns trashed rows that the actor may see, the last deleted first. There is no total.
func (r *Repository[T]) Trash(ctx context.Context, tx *Tx, q Query) (Page[*T], error) {
	covered, err := r.trash(tx)
	if err != nil {
		return Page[*T]{}, err
	}
	wanted, err := r.entity.wanted(tx, q)
	if err != nil {
		return Page[*T]{}, err
	}
	return r.page(ctx, tx, q, listing{name: "trashed", column: "deleted_at", clock: "timestamptz", covered: covered, wanted: wanted})
}

// listing is what a page is a part of.
type listing struct {
	site    site
	name    string // in cursors
	column  string // that it goes by, the newest first
	clock   string // the column's type
	covered clause // the predicate
	wanted  []clause
}

// page reads the rows of a page, and only then what its references show: an OFFSET would else look up those of
// all the rows that it passes over.
func (r *Repository[T]) page(ctx context.Context, tx *Tx, q Query, list listing) (page Page[*T], err error) {
	limit := limitOf(q.Limit)
	order := tx.order(list.name, r.entity.Kind, q.Search, q.Filter)
	wanted, skip := append([]clause{list.covered}, list.wanted...), 0
	if q.Cursor != "" {
		after, err := r.cursors.read(order, q.Cursor)
		if err != nil {
			return page, err
		}
		wanted = append(wanted, text("(?, t.id) < (?::"+list.clock+", ?)", col("t", list.column), time.UnixMicro(after.at), after.id))
	} else if skip = (max(q.Page, 1) - 1) * limit; skip >= MaxTotal || q.Page > MaxTotal {
		return page, ErrBeyond
	}
	newest := text("? DESC, t.id DESC", col("t", list.column))
	rows := text("SELECT ? FROM ? WHERE ? ORDER BY ? LIMIT ? OFFSET ?",
		r.entity.columns(nil), r.entity.from("t"), joined(" AND ", wanted), newest, limit+1, skip)
	found := r.selection(tx, (*T)(nil), list.site).ModelTableExpr("(?) AS t", rows).OrderExpr("?", newest)
	if page.Rows, err = r.read(ctx, found, limit); err != nil {
		return page, fmt.Errorf("list %s: %w", r.entity.Table, err)
	}
	if len(page.Rows) > limit {
		page.Rows = page.Rows[:limit]
		last := page.Rows[limit-1]
		page.Next = r.cursors.write(order, position{at: r.at(last, list.column).UnixMicro(), id: record(last).Key()})
	}
	return page, nil
}

// read takes rows one by one: the limit, and one more that says whether there are more, or fewer than [maxPage] allows.
func (r *Repository[T]) read(ctx context.Context, query *bun.SelectQuery, limit int) (rows []*T, err error) {
	found, err := query.Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer found.Close() //nolint:errcheck // found.Err tells
	for size := 0; found.Next(); {
		row := new(T)
		if err := query.DB().ScanRow(ctx, found, row); err != nil {
			return nil, err
		}
		if size += r.size(row); size > maxPage && 0 < len(rows) && len(rows) < limit {
			return nil, &FieldError{Fields: []FieldProblem{{"limit", "out_of_range"}}}
		}
		rows = append(rows, row)
	}
	return rows, found.Err()
}

// size is how long the texts and documents of a row are, in bytes: the rest is small.
func (r *Repository[T]) size(row *T) (bytes int) {
	for _, f := range r.entity.Fields {
		if f.Max > 0 || f.Type != Text && f.Type != Document {
			continue
		}
		switch value := f.Value(record(row)).(type) {
		case string:
			bytes += len(value)
		case json.RawMessage:
			bytes += len(value)
		}
	}
	return bytes
}

// at is the time that a row is listed by.
func (r *Repository[T]) at(row *T, column string) time.Time {
	if f := r.entity.column(column); f != nil {
		at, _ := f.Value(record(row)).(time.Time)
		return at
	}
	if at := record(row).Life().DeletedAt; at != nil {
		return *at
	}
	return time.Time{}
}

func record[T any](row *T) Record { return any(row).(Record) }

// count counts live rows, up to one more than MaxTotal.
func (r *Repository[T]) count(ctx context.Context, tx *Tx, wanted []clause) (n int, err error) {
	covered := append([]clause{tx.live(siteCount, r.entity, "t")}, wanted...)
	err = tx.db.NewRaw("SELECT count(*) FROM (SELECT FROM ? WHERE ? LIMIT ?) AS counted",
		r.entity.from("t"), joined(" AND ", covered), MaxTotal+1).Scan(ctx, &n)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", r.entity.Table, err)
	}
	return n, nil
}

// wanted turns a query's search and filters into clauses.
func (e *Entity) wanted(tx *Tx, q Query) (wanted []clause, err error) {
	var problems []FieldProblem
	if q.Search != "" {
		searched, code := e.searched(q.Search), searchProblem(q.Search)
		switch {
		case searched == nil:
			problems = append(problems, FieldProblem{"search", "unknown"})
		case code != "":
			problems = append(problems, FieldProblem{"search", code})
		default:
			wanted = append(wanted, searched)
		}
	}
	known := 0
	for _, f := range e.Fields {
		value, given := q.Filter[f.Name]
		if !given || !f.Filter {
			continue
		}
		known++
		parsed, code := f.parse(value)
		if code != "" {
			problems = append(problems, FieldProblem{f.Name, code})
			continue
		}
		wanted = append(wanted, f.equals(tx, parsed))
	}
	if known < len(q.Filter) {
		problems = append(problems, FieldProblem{"", "unknown"})
	}
	if len(problems) > 0 {
		return nil, &FieldError{Fields: problems}
	}
	return wanted, nil
}

// searched looks for words in the searched fields; nil when there are none.
func (e *Entity) searched(words string) clause {
	var places []clause
	for _, f := range e.Fields {
		if f.Search {
			places = append(places, text("? ILIKE ?", col("t", f.Column), contains(words)))
		}
	}
	if places == nil {
		return nil
	}
	return text("(?)", joined(" OR ", places))
}

// equals compares a field. To a reference whose target is trashed nothing is equal: it is shown as null.
func (f *Field) equals(tx *Tx, value any) clause {
	equal := text("? = ?", col("t", f.Column), value)
	if f.target == nil {
		return equal
	}
	return text("(? AND EXISTS (SELECT FROM ? WHERE r.id = ? AND ?))",
		equal, f.target.from("r"), value, tx.live(siteFilter, f.target, "r"))
}
