package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// maxReason is how long the reason of a deletion may be, in characters.
const maxReason = 500

// deletePage says what a deletion would do, and asks for it.
type deletePage struct {
	Title, Label, Singular string
	Action, Cancel         string
	Version                string
	// Along are the rows that go along, References those that stay and lose their link, in words.
	Along, References []string
	Rearm             string
	Blocked           []string
	Reason, Problem   string
	// Closes says that it closes the organization, which takes nothing along.
	Closes bool
}

func deleteForm(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		return v.askDelete(ctx, e, v.r.PathValue("id"), "", "", http.StatusOK)
	}
}

func (v *visit) askDelete(ctx context.Context, e *softdelete.Entity, id, reason, problem string, status int) (view, error) {
	record, err := v.store.Resources[e.Kind].Fetch(ctx, v.tx, id)
	if err != nil {
		return view{}, err
	}
	if !v.mayDelete(e, record) {
		return view{}, softdelete.ErrForbidden
	}
	if err := v.know(ctx, e, record); err != nil {
		return view{}, err
	}
	preview, err := v.store.Deletions.Preview(ctx, v.tx, e, id)
	if err != nil {
		return view{}, err
	}
	label := v.label(e, record)
	body := deletePage{
		Title: "Delete " + label + "?", Label: label, Singular: lower(e.Singular),
		Action: "/ui" + rowPath(e, id) + "/delete", Cancel: v.href(e.Kind, id),
		Version: strconv.FormatInt(record.Life().Version, 10),
		Along:   v.others(preview.Counts, e.Kind), References: v.losing(e, preview.References),
		Rearm: v.notRearmed(preview.Counts, "would come"), Reason: reason, Problem: problem, Closes: e.Root,
	}
	if e.Root {
		body.Title = "Close " + label + "?"
	}
	for _, b := range preview.Blocked {
		body.Blocked = append(body.Blocked, v.blocked(b))
	}
	return view{status: status, look: "delete", title: body.Title, body: body}, nil
}

// losing says what stays and would show no target, in words: "2 deals will show no client".
func (v *visit) losing(e *softdelete.Entity, references softdelete.Counts) []string {
	var parts []string
	for _, kind := range v.kinds(references) {
		of := lower(e.Singular)
		from := v.byKind[kind]
		if from != nil && !pointsTo(from, e.Kind) {
			of = "one of the rows that go along" // something below the row is what it points to
		}
		if of == lower(e.Singular) {
			parts = append(parts, v.amount(kind, references[kind])+" will show no "+of)
		} else {
			parts = append(parts, v.amount(kind, references[kind])+" will no longer show "+of)
		}
	}
	return parts
}

func pointsTo(e *softdelete.Entity, kind string) bool {
	for _, f := range e.Fields {
		if f.Target == kind && !f.Cascade {
			return true
		}
	}
	return false
}

// blocked says why a deletion would be refused.
func (v *visit) blocked(b softdelete.Blocked) string {
	switch b.Code {
	case "cascade_not_own":
		return "It would take along " + v.amount(b.Kind, b.Count) + " that members may not delete. An owner or an administrator can do it."
	case "too_large":
		return "It would take along more than " + thousands(strconv.Itoa(softdelete.MaxDeletion)) + " rows. Delete parts of it first."
	case "last_owner":
		return "It is the last owner of the organization. Make somebody else an owner first."
	default:
		return "It would be refused (" + b.Code + ")."
	}
}

// remove deletes a row, and leads to the list, where it can be undone at once.
func (p *Pages) remove(e *softdelete.Entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.form(w, r) {
			return
		}
		id, reason := r.PathValue("id"), strings.TrimSpace(normal(r.PostForm.Get("reason")))
		version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
		if err != nil || version < 1 {
			p.odd(w, r, oddity{http.StatusBadRequest, "bad_form"})
			return
		}
		again := func(status int, reasonProblem string) {
			p.show(w, r, func(ctx context.Context, v *visit) (view, error) {
				return v.askDelete(ctx, e, id, reason, reasonProblem, status)
			})
		}
		if len([]rune(reason)) > maxReason {
			again(http.StatusUnprocessableEntity, "Use at most 500 characters.")
			return
		}
		var done softdelete.Deletion
		err = p.change(r, func(ctx context.Context, tx *softdelete.Tx) (err error) {
			done, err = p.store.Deletions.SoftDelete(ctx, tx, e, id, version, reason)
			return err
		})
		switch {
		case err == nil && e.Root:
			leave(w, r, "/")
		case err == nil:
			leave(w, r, "/"+e.Kind+"?deletion="+done.ID.String())
		case errors.Is(err, softdelete.ErrVersion):
			again(http.StatusPreconditionFailed, "It has changed since you looked at it. This is what would happen now.")
		case errors.Is(err, softdelete.ErrTooLarge), errors.Is(err, softdelete.ErrLastOwner), errors.Is(err, softdelete.ErrForbidden):
			again(judge(err).status, "")
		default:
			p.fail(w, r, err)
		}
	}
}
