package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Event is one change of a row.
type Event struct {
	ID         uuid.UUID
	OccurredAt time.Time
	// Action is "insert", "update", "soft_delete", "restore" or "delete".
	Action string
	// Actor is who did it; the id is empty where it was no user, but a program or the old app.
	Actor softdelete.Person
	// RequestID is the edge's id of the request.
	RequestID string
	// DeletionID is the deletion that the change belongs to.
	DeletionID uuid.UUID
	// Changes are by JSON name, where the column is a field of the entity; else by column.
	Changes map[string]Change
}

// Change is what a column was, and what it became. JSON null is no value.
type Change struct {
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
	// Secret says that the column is never told.
	Secret bool `json:"secret,omitempty"`
	// Erased says that a personal value was there, and has been erased.
	Erased bool `json:"erased,omitempty"`
}

// Page is a part of a history.
type Page struct {
	Events []Event
	// Next is the cursor of what came before; empty at the beginning of the row.
	Next string
}

// History returns what was done to a row of the transaction's organization, the newest first. Whether the
// caller may see the row is for the caller to have asked. It returns softdelete.ErrCursor for a cursor that
// is none.
func History(ctx context.Context, tx *softdelete.Tx, e *softdelete.Entity, id string, limit int, cursor string) (Page, error) {
	var rows []event
	query := tx.Conn().NewSelect().Model(&rows).
		ColumnExpr("ev.id, ev.occurred_at, ev.action, ev.actor_id, ev.request_id, ev.deletion_id, ev.changes").
		ColumnExpr("concat_ws(' ', u.first_name, u.last_name) AS actor_name").
		Join("LEFT JOIN users AS u ON u.id = ev.actor_id"). // row-level security shows colleagues alone
		Where("ev.organization_id = ?", tx.Organization).
		Where("ev.table_name = ?", e.Table).
		Where("ev.row_id = ?", id).
		OrderExpr("ev.occurred_at DESC, ev.id DESC").
		Limit(int64(limit) + 1)
	if cursor != "" {
		at, last, err := readCursor(cursor)
		if err != nil {
			return Page{}, err
		}
		query.Where("(ev.occurred_at, ev.id) < (?, ?)", at, last)
	}
	if err := query.Scan(ctx); err != nil {
		return Page{}, fmt.Errorf("read the history of %s: %w", e.Kind, err)
	}
	var page Page
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = writeCursor(rows[limit-1])
	}
	opened, err := open(ctx, tx, rows)
	if err != nil {
		return Page{}, err
	}
	for _, row := range rows {
		page.Events = append(page.Events, row.tell(e, opened))
	}
	return page, nil
}

// event is a row of audit_events, and the actor's name.
type event struct {
	bun.BaseModel `bun:"table:audit_events,alias:ev"`

	ID         uuid.UUID                             `bun:"id,type:uuid"`
	OccurredAt time.Time                             `bun:"occurred_at"`
	Action     string                                `bun:"action"`
	ActorID    string                                `bun:"actor_id"`
	ActorName  string                                `bun:"actor_name,scanonly"`
	RequestID  string                                `bun:"request_id"`
	DeletionID uuid.UUID                             `bun:"deletion_id,type:uuid"`
	Changes    map[string]map[string]json.RawMessage `bun:"changes,type:jsonb"`
}

// tell puts the personal values back in, as far as their envelopes are there.
func (ev event) tell(e *softdelete.Entity, opened map[place]json.RawMessage) Event {
	told := Event{
		ID: ev.ID, OccurredAt: ev.OccurredAt, Action: ev.Action, RequestID: ev.RequestID, DeletionID: ev.DeletionID,
		Actor: softdelete.Person{ID: ev.ActorID, Name: ev.ActorName}, Changes: map[string]Change{},
	}
	for column, sides := range ev.Changes {
		change := Change{From: sides["from"], To: sides["to"], Secret: string(sides["secret"]) == "true"}
		for side, value := range map[string]*json.RawMessage{"from": &change.From, "to": &change.To} {
			if !personal(e, column) || !sealed(*value) {
				continue
			}
			if inside, there := opened[place{ev.ID, column, side}]; there {
				*value = inside
			} else {
				*value, change.Erased = nil, true
			}
		}
		told.Changes[nameOf(e, column)] = change
	}
	return told
}

func personal(e *softdelete.Entity, column string) bool {
	return slices.ContainsFunc(e.Fields, func(f *softdelete.Field) bool { return f.Column == column && f.Personal })
}

// sealed reports whether a value of an event is the hash of a personal one.
func sealed(value json.RawMessage) bool {
	var hash map[string]string
	return json.Unmarshal(value, &hash) == nil && len(hash) == 1 && len(hash["sha256"]) == 64
}

// place is where a personal value belongs.
type place struct {
	event        uuid.UUID
	column, side string
}

// open reads the envelopes of events.
func open(ctx context.Context, tx *softdelete.Tx, events []event) (map[place]json.RawMessage, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(events))
	for i, ev := range events {
		ids[i] = ev.ID
	}
	var envelopes []struct {
		bun.BaseModel `bun:"table:audit_envelopes,alias:en"`

		EventID uuid.UUID       `bun:"event_id,type:uuid"`
		Column  string          `bun:"column_name"`
		Side    string          `bun:"side"`
		Value   json.RawMessage `bun:"value,type:jsonb"`
	}
	// The times narrow it to their part of the key.
	err := tx.Conn().NewSelect().Model(&envelopes).
		Where("en.organization_id = ?", tx.Organization).
		Where("en.occurred_at BETWEEN ? AND ?", events[len(events)-1].OccurredAt, events[0].OccurredAt).
		Where("en.event_id IN (?)", bun.List(ids)).
		Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the envelopes of a history: %w", err)
	}
	opened := make(map[place]json.RawMessage, len(envelopes))
	for _, en := range envelopes {
		opened[place{en.EventID, en.Column, en.Side}] = en.Value
	}
	return opened, nil
}

// nameOf is the JSON name of a column.
func nameOf(e *softdelete.Entity, column string) string {
	for _, f := range e.Fields {
		if f.Column == column {
			return f.Name
		}
	}
	words := strings.Split(column, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

var cursorText = base64.RawURLEncoding.Strict()

// writeCursor needs no signature: it only says where in a history, which the caller may see, to go on.
func writeCursor(last event) string {
	return cursorText.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(last.OccurredAt.UnixMicro())), last.ID[:]...))
}

func readCursor(cursor string) (at time.Time, id uuid.UUID, err error) {
	raw, err := cursorText.DecodeString(cursor)
	if err != nil || len(raw) != 8+len(id) {
		return at, id, softdelete.ErrCursor
	}
	copy(id[:], raw[8:])
	micros := int64(binary.BigEndian.Uint64(raw))
	if micros < 0 || micros > maxMicros {
		return at, id, softdelete.ErrCursor
	}
	return time.UnixMicro(micros).UTC(), id, nil
}

// maxMicros is the year 9999, which PostgreSQL and RFC 3339 still know.
const maxMicros = 253402300799_000000
