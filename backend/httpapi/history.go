package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/audit"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// eventBody is one change of a row.
type eventBody struct {
	ID         uuid.UUID               `json:"id"`
	OccurredAt time.Time               `json:"occurredAt"`
	Action     string                  `json:"action" enum:"insert,update,soft_delete,restore,delete"`
	Actor      *softdelete.Person      `json:"actor" doc:"Null where a program did it."`
	RequestID  *string                 `json:"requestId"`
	DeletionID *uuid.UUID              `json:"deletionId"`
	Changes    map[string]audit.Change `json:"changes" doc:"What was, and what became of it, by member. A member that is secret is never told; a personal value that was erased is not there any more."`
}

// historyOperation reads what was done to a row of the entity.
func (a *api) historyOperation(e *softdelete.Entity) *operation {
	n := namesOf(e)
	return &operation{
		method: http.MethodGet, path: "/api/" + e.Kind + "/{id}/history", name: "list" + n.one + "History", tag: e.Plural,
		summary:     "What was done to one of the " + n.people + ", the newest first",
		description: "Also of a row in the Trash, for who may see it there.",
		query:       []*huma.Param{limitParameter(), cursorParameter()},
		answers:     listSchema(a.schemaOf(eventBody{}), false),
		reads: func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
			if _, _, err := softdelete.Visible(ctx, tx, a.resources[e.Kind], c.id); err != nil {
				return nil, err
			}
			page, err := audit.History(ctx, tx, e, c.id, limit(c), c.text("cursor"))
			data := make([]eventBody, len(page.Events))
			for i, event := range page.Events {
				data[i] = newEventBody(event)
			}
			return ok(pageBody{data, cursorOf(page.Next)}), err
		},
	}
}

func newEventBody(e audit.Event) eventBody {
	body := eventBody{ID: e.ID, OccurredAt: e.OccurredAt.UTC(), Action: e.Action, Changes: e.Changes}
	if e.Actor.ID != "" {
		body.Actor = &e.Actor
	}
	if e.RequestID != "" {
		body.RequestID = &e.RequestID
	}
	if e.DeletionID != uuid.Nil {
		body.DeletionID = &e.DeletionID
	}
	return body
}
