package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// maxRestores is how many deletions one form may bring back.
const maxRestores = 100

// conflictsPage says why deletions could not be brought back, and what to do.
type conflictsPage struct {
	Results []restoreResult
	Done    int // how many could be
	Several bool
}

// restoreResult is what became of one.
type restoreResult struct {
	Title, Href string
	Done        string // empty when it was refused
	Reasons     []reason
	Problem     string // a refusal of another kind
	// Gaps is where to accept that some rows are gone for good, when nothing else is in the way.
	Gaps string
}

// reason is one conflict, in plain words.
type reason struct {
	Text string
	Href string
	Link string
}

// restore brings back all that is still in the Trash of a deletion.
func (p *Pages) restore(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	id, err := uuid.Parse(r.PathValue("deletion"))
	if err != nil {
		p.fail(w, r, softdelete.ErrNotFound)
		return
	}
	p.answerRestore(w, r, id, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
		return p.store.Deletions.Restore(ctx, tx, id, r.PostForm.Get("acceptGaps") == "yes")
	})
}

// restoreRow brings back one row, with what it had taken along.
func (p *Pages) restoreRow(e *softdelete.Entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.form(w, r) {
			return
		}
		p.answerRestore(w, r, uuid.Nil, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
			return p.store.Deletions.RestoreRow(ctx, tx, e, r.PathValue("id"))
		})
	}
}

func (p *Pages) answerRestore(w http.ResponseWriter, r *http.Request, id uuid.UUID, do func(context.Context, *softdelete.Tx) (softdelete.Outcome, error)) {
	var outcome softdelete.Outcome
	err := p.change(r, func(ctx context.Context, tx *softdelete.Tx) (err error) {
		outcome, err = do(ctx, tx)
		return err
	})
	var conflict *softdelete.ConflictError
	switch {
	case err == nil && outcome.Deletion.Root.Kind == "organizations":
		leave(w, r, "/")
	case err == nil && outcome.Deletion.State == softdelete.Partial:
		leave(w, r, "/trash/"+outcome.Deletion.ID.String()+"?deletion="+outcome.Deletion.ID.String())
	case err == nil:
		root := outcome.Deletion.Root
		leave(w, r, p.href(root.Kind, root.ID)+"?deletion="+outcome.Deletion.ID.String())
	case errors.As(err, &conflict):
		p.show(w, r, func(ctx context.Context, v *visit) (view, error) {
			one, err := v.refused(ctx, id, conflict)
			return view{status: http.StatusConflict, look: "conflicts", title: "Not restored", body: conflictsPage{Results: []restoreResult{one}}}, err
		})
	default:
		p.fail(w, r, err)
	}
}

// restoreMany brings back the deletions that were ticked, each by itself: one that is refused holds up
// none of the others.
func (p *Pages) restoreMany(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	chosen := r.PostForm["id"]
	if one := r.PostForm.Get("one"); one != "" {
		chosen = []string{one}
	}
	chosen = unique(chosen)
	if len(chosen) > maxRestores {
		p.odd(w, r, oddity{http.StatusBadRequest, "bad_form"})
		return
	}
	var ids []uuid.UUID
	for _, text := range chosen {
		id, err := uuid.Parse(text)
		if err != nil {
			p.fail(w, r, softdelete.ErrNotFound)
			return
		}
		ids = append(ids, id)
	}
	switch len(ids) {
	case 0:
		leave(w, r, "/trash")
		return
	case 1:
		p.answerRestore(w, r, ids[0], func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
			return p.store.Deletions.Restore(ctx, tx, ids[0], false)
		})
		return
	}
	errs := make([]error, len(ids))
	for i, id := range ids {
		errs[i] = p.change(r, func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := p.store.Deletions.Restore(ctx, tx, id, false)
			return err
		})
		if errs[i] != nil && judge(errs[i]).status >= http.StatusInternalServerError {
			p.fail(w, r, errs[i])
			return
		}
	}
	p.tellMany(w, r, ids, errs)
}

// tellMany shows what became of each of several restores.
func (p *Pages) tellMany(w http.ResponseWriter, r *http.Request, ids []uuid.UUID, errs []error) {
	status, title := http.StatusOK, "Restored"
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		status, title = http.StatusConflict, "Not all restored"
	}
	p.show(w, r, func(ctx context.Context, v *visit) (view, error) {
		body := conflictsPage{Several: true}
		for i, id := range ids {
			var conflict *softdelete.ConflictError
			var one restoreResult
			var err error
			switch {
			case errors.As(errs[i], &conflict):
				one, err = v.refused(ctx, id, conflict)
			case errs[i] != nil:
				one, err = v.named(ctx, id)
				one.Problem = problemTexts[judge(errs[i]).code].Title + "."
			default:
				body.Done++
				one, err = v.named(ctx, id)
				one.Done = "It is back."
			}
			if err != nil {
				return view{}, err
			}
			body.Results = append(body.Results, one)
		}
		return view{status: status, look: "conflicts", title: title, body: body}, nil
	})
}

// named begins a result with the name of its deletion, as far as the caller may see it.
func (v *visit) named(ctx context.Context, id uuid.UUID) (restoreResult, error) {
	if id == uuid.Nil {
		return restoreResult{}, nil
	}
	d, err := v.store.Deletions.Deletion(ctx, v.tx, id)
	if errors.Is(err, softdelete.ErrNotFound) || errors.Is(err, softdelete.ErrForbidden) {
		return restoreResult{Title: "A deletion that is not there"}, nil
	}
	if err != nil {
		return restoreResult{}, err
	}
	r := restoreResult{Title: v.trashRow(d).Label, Href: "/trash/" + id.String()}
	if d.State == softdelete.Restored && v.byKind[d.Root.Kind] != nil {
		r.Href = v.href(d.Root.Kind, d.Root.ID)
	}
	return r, nil
}

// refused explains every reason of a refusal.
func (v *visit) refused(ctx context.Context, id uuid.UUID, conflict *softdelete.ConflictError) (restoreResult, error) {
	one, err := v.named(ctx, id)
	if err != nil {
		return one, err
	}
	gaps, others := 0, 0
	for _, c := range conflict.Conflicts {
		if c.Code == "purged" {
			gaps++
		} else {
			others++
		}
		if len(one.Reasons) < pageSize {
			why, err := v.reason(ctx, c)
			if err != nil {
				return one, err
			}
			one.Reasons = append(one.Reasons, why)
		}
	}
	if more := len(conflict.Conflicts) - len(one.Reasons); more > 0 {
		one.Reasons = append(one.Reasons, reason{Text: "And " + strconv.Itoa(more) + " more."})
	}
	if gaps > 0 && others == 0 && id != uuid.Nil {
		one.Gaps = "/ui/trash/" + id.String() + "/restore"
	}
	return one, nil
}

// reason says one conflict in plain words, with a link to what is in the way.
func (v *visit) reason(ctx context.Context, c softdelete.Conflict) (reason, error) {
	what := "The " + v.singular(c.Kind)
	if c.Label != "" {
		what += " “" + c.Label + "”"
	}
	switch c.Code {
	case "live_twin":
		return v.twin(what, c), nil
	case "parent_deleted":
		parent := "its parent"
		if c.Parent != nil {
			parent = "the " + v.singular(c.Parent.Kind)
			if c.Parent.Label != "" {
				parent += " “" + c.Parent.Label + "”"
			}
			parent += " that it belongs to"
		}
		why := reason{Text: what + " cannot come back by itself: " + parent + " is in the Trash too. Restore that first."}
		named, err := v.named(ctx, c.DeletionID)
		if named.Href != "" {
			why.Href, why.Link = named.Href, "Open that deletion"
		}
		return why, err
	case "purged":
		return reason{Text: what + " is gone for good: the time for which it is kept is over."}, nil
	default:
		return reason{Text: what + " cannot be brought back (" + c.Code + ")."}, nil
	}
}

func (v *visit) twin(what string, c softdelete.Conflict) reason {
	e := v.byKind[c.Kind]
	key := "key"
	if e != nil && len(c.Key) > 0 {
		var words []string
		for _, name := range c.Key {
			if f := e.Field(name); f != nil {
				words = append(words, lower(titleOf(f)))
			}
		}
		if len(words) > 0 {
			key = enumerate(words)
		}
	}
	why := reason{Text: what + " cannot come back: meanwhile there is another one with the same " + key + ". Rename or delete the other one, then try again."}
	if c.Twin != nil {
		label := c.Twin.Label
		if label == "" {
			label = "the other one"
		}
		why.Href, why.Link = v.href(c.Twin.Kind, c.Twin.ID), "Open "+label
	}
	return why
}
