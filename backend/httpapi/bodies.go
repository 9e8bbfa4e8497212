package httpapi

import (
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// The bodies of answers that are no rows. Their schemas in the document are made of these types.

// listBody is a page of a list.
type listBody struct {
	Data any `json:"data"`
	// Pagination is there when the list was asked for by page.
	Pagination *pagination `json:"pagination"`
	NextCursor *string     `json:"nextCursor"`
}

// pageBody is a page of a list that is read by cursors alone.
type pageBody struct {
	Data       any     `json:"data"`
	NextCursor *string `json:"nextCursor"`
}

// pagination counts a list that was asked for by page.
type pagination struct {
	Total       int  `json:"total"       doc:"How many rows there are in all, up to 10,000."`
	TotalCapped bool `json:"totalCapped" doc:"There are more rows than total says."`
	Page        int  `json:"page"`
	Limit       int  `json:"limit"`
	TotalPages  int  `json:"totalPages"`
	HasNext     bool `json:"hasNext"`
	HasPrev     bool `json:"hasPrev"`
}

// deletionBody is a deletion, as lists and changes tell of it.
type deletionBody struct {
	ID         uuid.UUID         `json:"id"`
	State      softdelete.State  `json:"state" enum:"trashed,partial,restored,purged"`
	Root       softdelete.Ref    `json:"root"`
	DeletedAt  time.Time         `json:"deletedAt"`
	DeletedBy  softdelete.Person `json:"deletedBy"`
	Reason     *string           `json:"reason"`
	Counts     softdelete.Counts `json:"counts" doc:"The rows that it took along, by kind, the root among them."`
	PurgeAfter *purgeAfter       `json:"purgeAfter" doc:"When retention ends; null where only an operator purges."`
	RestoreURL string            `json:"restoreUrl" doc:"Where a POST restores all of it."`
}

type purgeAfter struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// deletionDetail is a deletion, and what has become of its rows.
type deletionDetail struct {
	deletionBody

	Remaining softdelete.Counts `json:"remaining" doc:"What is still trashed."`
	Restored  softdelete.Counts `json:"restored"  doc:"What is live again."`
	Purged    softdelete.Counts `json:"purged"    doc:"What is gone for good."`
}

// deletedBody answers a deletion.
type deletedBody struct {
	Deletion deletionBody `json:"deletion"`
}

// itemsBody answers for one deletion.
type itemsBody struct {
	Deletion   deletionDetail   `json:"deletion"`
	Items      []softdelete.Ref `json:"items" doc:"What is still trashed of it."`
	NextCursor *string          `json:"nextCursor"`
}

// restoredBody answers a restore.
type restoredBody struct {
	Deletion   deletionBody      `json:"deletion"`
	Restored   softdelete.Counts `json:"restored"`
	NotRearmed []notRearmed      `json:"notRearmed,omitzero" doc:"Rows that came back without their token, or as revoked; absent in an answer that was replayed."`
}

type notRearmed struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// restoredAll answers the restore of several deletions, one result each.
type restoredAll struct {
	Results []restoreResult `json:"results"`
}

type restoreResult struct {
	ID      string   `json:"id"`
	Status  int      `json:"status"`
	Problem *problem `json:"problem,omitempty"`
}

// previewBody is what a deletion would do.
type previewBody struct {
	Root       softdelete.Ref       `json:"root"`
	Counts     softdelete.Counts    `json:"counts"`
	References softdelete.Counts    `json:"references" doc:"Live rows that point to what would go, and would show no target."`
	Total      int                  `json:"total"`
	Blocked    []softdelete.Blocked `json:"blocked" doc:"Why it would be refused."`
}

// trashedBody is a trashed row.
type trashedBody struct {
	Row        softdelete.Record `json:"row"`
	DeletedAt  *time.Time        `json:"deletedAt"`
	DeletedBy  *string           `json:"deletedBy"`
	DeletionID *uuid.UUID        `json:"deletionId"`
	RestoreURL string            `json:"restoreUrl"`
}

func newDeletionBody(d softdelete.Deletion) deletionBody {
	body := deletionBody{
		ID: d.ID, State: d.State, Root: d.Root, DeletedAt: d.DeletedAt.UTC(), DeletedBy: d.DeletedBy, Counts: whole(d.Counts),
		RestoreURL: "/api/deletions/" + d.ID.String() + "/restore",
	}
	if d.Reason != "" {
		body.Reason = &d.Reason
	}
	if !d.PurgeFirst.IsZero() {
		body.PurgeAfter = &purgeAfter{First: d.PurgeFirst.UTC(), Last: d.PurgeLast.UTC()}
	}
	return body
}

func newDeletionDetail(d softdelete.Deletion) deletionDetail {
	return deletionDetail{deletionBody: newDeletionBody(d), Remaining: whole(d.Remaining), Restored: whole(d.Restored), Purged: whole(d.Purged)}
}

func newPreviewBody(p softdelete.Preview) previewBody {
	body := previewBody{Root: p.Root, Counts: whole(p.Counts), References: whole(p.References), Total: p.Counts.Total(), Blocked: p.Blocked}
	if body.Blocked == nil {
		body.Blocked = []softdelete.Blocked{}
	}
	return body
}

// whole makes {} of no counts, and leaves out kinds of which there is nothing.
func whole(c softdelete.Counts) softdelete.Counts {
	some := softdelete.Counts{}
	for kind, n := range c {
		if n != 0 {
			some[kind] = n
		}
	}
	return some
}

// cursorOf is null on the last page.
func cursorOf(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}
