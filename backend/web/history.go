package web

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/audit"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// historyPage is what was done to a row, the newest first.
type historyPage struct {
	Title, Label string
	Back         string // to the row, where it is to be seen
	Events       []eventRow
	Pages        pager
}

// eventRow is one thing that was done.
type eventRow struct {
	What, Who   string
	When, Stamp string
	Changes     []changeRow
	// Bare says that a change touched nothing that pages show.
	Bare bool
	// Deletion is the page of the deletion that it belongs to, Reason why that was done, and With the row
	// that took this one along; all empty for who may not see that deletion.
	Deletion, Reason, With string
}

// changeRow is a field that was given a value.
type changeRow struct {
	Title         string
	Before, After cell
	// Whole says that there is no before: the row was new, or it is not told what was.
	Whole bool
	// Tall values stand below each other.
	Tall bool
}

// deeds are the words for what the trail calls actions.
var deeds = map[string]string{"insert": "Added", "update": "Changed", "soft_delete": "Deleted", "restore": "Restored", "delete": "Deleted for good"}

// history shows the trail of a row to who may see the row, among the live or in the Trash.
func history(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		record, trashed, err := softdelete.Visible(ctx, v.tx, v.store.Resources[e.Kind], v.r.PathValue("id"))
		if err != nil {
			return view{}, err
		}
		back := v.href(e.Kind, record.Key())
		if trashed {
			back = "/trash/rows" + rowPath(e, record.Key())
		}
		asked := v.r.URL.Query()
		page, err := audit.History(ctx, v.tx, e, record.Key(), pageSize, asked.Get("cursor"))
		if err != nil {
			return view{}, err
		}
		if err := v.know(ctx, e, record); err != nil {
			return view{}, err
		}
		if err := v.knowEvents(ctx, e, page.Events); err != nil {
			return view{}, err
		}
		deletions, err := v.deletionsOf(ctx, page.Events)
		if err != nil {
			return view{}, err
		}
		label := v.label(e, record)
		body := historyPage{Title: "History of " + label, Label: label, Back: back, Pages: leaf(rowPath(e, record.Key())+"/history", asked, page.Next)}
		for i, event := range page.Events {
			row := v.event(e, i+1, event)
			if d, ok := deletions[event.DeletionID]; ok {
				v.tellWhy(&row, e, record.Key(), d)
			}
			body.Events = append(body.Events, row)
		}
		return view{look: "history", title: body.Title, body: body}, nil
	}
}

// knowEvents finds the names of all that events refer to, and of who did them.
func (v *visit) knowEvents(ctx context.Context, e *softdelete.Entity, events []audit.Event) error {
	wanted := map[string][]string{}
	var people []string
	for _, event := range events {
		if event.Actor.ID != "" {
			people = append(people, event.Actor.ID)
		}
		for name, change := range event.Changes {
			f := e.Field(name)
			if f == nil || f.Target == "" && !f.User {
				continue
			}
			for _, raw := range []json.RawMessage{change.From, change.To} {
				if id, ok := told(f, raw).(string); !ok {
					continue
				} else if f.User {
					people = append(people, id)
				} else {
					wanted[f.Target] = append(wanted[f.Target], id)
				}
			}
		}
	}
	for kind, ids := range wanted {
		if err := v.knowRows(ctx, kind, ids); err != nil {
			return err
		}
	}
	return v.knowPeople(ctx, people)
}

// deletionsOf are the deletions of events that the caller may see. Few rows have come and gone more than once,
// so each is asked for by itself.
func (v *visit) deletionsOf(ctx context.Context, events []audit.Event) (map[uuid.UUID]softdelete.Deletion, error) {
	seen := map[uuid.UUID]softdelete.Deletion{}
	if !v.mayTrash() {
		return seen, nil
	}
	asked := map[uuid.UUID]bool{uuid.Nil: true}
	for _, event := range events {
		id := event.DeletionID
		if asked[id] {
			continue
		}
		asked[id] = true
		d, err := v.store.Deletions.Deletion(ctx, v.tx, id)
		switch {
		case err == nil:
			seen[id] = d
		case !errors.Is(err, softdelete.ErrNotFound) && !errors.Is(err, softdelete.ErrForbidden):
			return nil, err
		}
	}
	return seen, nil
}

// tellWhy adds what is known of a deletion that was done or taken back.
func (v *visit) tellWhy(row *eventRow, e *softdelete.Entity, id string, d softdelete.Deletion) {
	row.Deletion = "/trash/" + d.ID.String()
	if row.What == deeds["soft_delete"] {
		row.Reason = d.Reason
	}
	if d.Root.Kind != e.Kind || d.Root.ID != id {
		row.With = lower(quoted(d.Root.Label, v.singular(d.Root.Kind)))
	}
}

// event is one thing that was done; number is its place on the page.
func (v *visit) event(e *softdelete.Entity, number int, event audit.Event) eventRow {
	row := eventRow{What: deeds[event.Action], Who: "a program", When: v.format.moment(event.OccurredAt), Stamp: stamp(event.OccurredAt)}
	if row.What == "" {
		row.What = word(event.Action)
	}
	if id := event.Actor.ID; id != "" {
		row.Who = who(softdelete.Person{Name: v.names.people[id]})
	}
	for _, f := range e.Fields {
		change, ok := event.Changes[f.Name]
		if !ok || f.Column == "created_at" || f.Column == "updated_at" { // the event says when
			continue
		}
		c := changeRow{Title: titleOf(f), Whole: event.Action == "insert", Tall: f.Long || f.Type == softdelete.Document}
		if f.Secret || change.Secret {
			c.Whole, c.After = true, cell{Kind: "note", Text: "a secret, which is never shown"}
		} else {
			c.Before, c.After = v.side(f, change.From, change.Erased), v.side(f, change.To, change.Erased)
			// Regions need names of their own.
			c.Before.Label += " before, change " + strconv.Itoa(number)
			c.After.Label += " after, change " + strconv.Itoa(number)
		}
		if !c.Whole || c.After.Kind != "" {
			row.Changes = append(row.Changes, c)
		}
	}
	row.Bare = event.Action == "update" && row.Changes == nil
	return row
}

// side shows what a field was or became.
func (v *visit) side(f *softdelete.Field, raw json.RawMessage, erased bool) cell {
	if raw == nil && erased {
		return cell{Label: titleOf(f), Kind: "note", Text: "erased"}
	}
	value := told(f, raw)
	c := v.display(f, value)
	if id, ok := value.(string); ok && id != "" && f.Target != "" && c.Kind == "" {
		c.Kind, c.Text = "note", "not there any more" // in the Trash, or gone
	}
	return c
}

// told reads a value of the trail as a record holds it. What the field's type does not fit any more is the text
// that it was.
func told(f *softdelete.Field, raw json.RawMessage) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	switch f.Type {
	case softdelete.Number:
		var number json.Number
		if json.Unmarshal(raw, &number) == nil {
			return softdelete.Decimal(number)
		}
	case softdelete.Integer:
		var n int32
		if json.Unmarshal(raw, &n) == nil {
			return n
		}
	case softdelete.Boolean:
		var is bool
		if json.Unmarshal(raw, &is) == nil {
			return is
		}
	case softdelete.Document:
		return raw
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	if f.Type == softdelete.Timestamp {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} { // with a zone, or of none
			if at, err := time.Parse(layout, text); err == nil {
				return at.UTC()
			}
		}
	}
	return text
}
