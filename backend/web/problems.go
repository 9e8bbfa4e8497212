package web

import (
	"context"
	"errors"
	"net/http"
	"sort"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// oddity is an answer other than what was asked for, by its code; see [problemTexts].
type oddity struct {
	status int
	code   string
}

// problemText says to a person what a code means, and what to do.
type problemText struct {
	Title, Text string
	// Link is where to go on, with its words; none goes home.
	Href, Link string
}

// problemTexts are those of pages; those of the HTTP interface, at /problems, speak to who writes programs.
var problemTexts = map[string]problemText{
	"not_found":           {"There is nothing here", "It may have been deleted, or it never existed. What was deleted can be found in the Trash.", "", ""},
	"forbidden":           {"Your role does not allow this", "Owners and administrators of the organization may do everything, members change what is their own, and viewers read. Ask one of the owners to do it, or to change your role.", "", ""},
	"cross_origin":        {"This did not come from our own pages", "Another site asked your browser to change something here, so nothing was done. If you meant to do it, open the page here and do it there.", "", ""},
	"unauthorized":        {"You are not signed in", "Open the page again and sign in.", "/", "Sign in"},
	"unavailable":         {"This is not available for a moment", "The database does not answer. Nothing was lost and nothing was changed; please try again shortly.", "", ""},
	"internal":            {"Something went wrong here", "It is our mistake, not yours, and nothing was changed. Whoever looks after this site finds the cause by the request's id below.", "", ""},
	"no_account":          {"There is no account for you here", "You have signed in, but nobody in any organization here has your verified e-mail address. Ask an administrator for an invitation, or sign in as somebody else.", "", ""},
	"ambiguous_account":   {"More than one account has your address", "We cannot tell which of them is yours. Ask an administrator to give each account an address of its own.", "", ""},
	"no_organization":     {"You do not belong to an organization", "Your account is there, but no organization has you as a member. Ask an administrator to add you.", "", ""},
	"choose_organization": {"Choose an organization", "You belong to several organizations. Say for which one you want to work.", "/switch", "Choose an organization"},
	"organization_closed": {"This organization is closed", "One of its owners has closed it. Only an owner can open it again.", "/switch", "Choose another organization"},
	"restore_conflict":    {"It cannot be brought back as things are now", "Something is in the way, such as another row with the same name, or a parent that is in the Trash itself. The Trash says what.", "/trash", "Open the Trash"},
	"not_deleted":         {"This is not in the Trash", "It has been brought back already, perhaps by somebody else or in another window.", "/trash", "Open the Trash"},
	"version_mismatch":    {"Somebody else has changed this", "It has changed since you last looked at it. Look at it again before you change it.", "", ""},
	"too_large":           {"That is too much at once", "The deletion would take along more than 20,000 rows. Delete parts of it first.", "", ""},
	"last_owner":          {"An organization needs an owner", "This is its last one. Make somebody else an owner first.", "/members", "Open the members"},
	"bad_cursor":          {"This page of the list is not known", "Its address is incomplete, or of another list. Begin at the newest.", "", ""},
	"bad_request":         {"The request cannot be read", "It has a member, a parameter or a form that is not known here.", "", ""},
	"bad_form":            {"The form cannot be read", "What your browser has sent is not a form that we know. Go back and try again.", "", ""},
	"too_large_form":      {"That is too much text", "A form may send one megabyte in all. Go back and shorten it.", "", ""},
}

// judge says what an error of the store means to a person.
func judge(err error) oddity {
	var choose *store.ChooseError
	var conflict *softdelete.ConflictError
	var fields *softdelete.FieldError
	switch {
	case errors.Is(err, softdelete.ErrNotFound):
		return oddity{http.StatusNotFound, "not_found"}
	case errors.Is(err, softdelete.ErrForbidden):
		return oddity{http.StatusForbidden, "forbidden"}
	case errors.Is(err, softdelete.ErrVersion):
		return oddity{http.StatusPreconditionFailed, "version_mismatch"}
	case errors.Is(err, softdelete.ErrNotDeleted):
		return oddity{http.StatusConflict, "not_deleted"}
	case errors.Is(err, softdelete.ErrTooLarge):
		return oddity{http.StatusUnprocessableEntity, "too_large"}
	case errors.Is(err, softdelete.ErrLastOwner):
		return oddity{http.StatusConflict, "last_owner"}
	case errors.Is(err, softdelete.ErrCursor):
		return oddity{http.StatusUnprocessableEntity, "bad_cursor"}
	case errors.As(err, &fields): // of an address: forms have their own answer
		return oddity{http.StatusBadRequest, "bad_request"}
	case errors.As(err, &conflict):
		return oddity{http.StatusConflict, "restore_conflict"}
	case errors.Is(err, store.ErrNoAccount):
		return oddity{http.StatusForbidden, "no_account"}
	case errors.Is(err, store.ErrAmbiguousAccount):
		return oddity{http.StatusForbidden, "ambiguous_account"}
	case errors.Is(err, store.ErrNoOrganization):
		return oddity{http.StatusForbidden, "no_organization"}
	case errors.Is(err, store.ErrClosed):
		return oddity{http.StatusForbidden, "organization_closed"}
	case errors.As(err, &choose):
		return oddity{http.StatusConflict, "choose_organization"}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return oddity{http.StatusServiceUnavailable, "unavailable"}
	default:
		return oddity{http.StatusInternalServerError, "internal"}
	}
}

// fail answers with the page about an error.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits any more
	}
	o := judge(err)
	if o.status == http.StatusInternalServerError {
		p.logger.Error("a page failed", zap.String("error", store.Loggable(err)), zap.String("request_id", caller.RequestID(r.Context())))
	}
	var choose *store.ChooseError
	if errors.As(err, &choose) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		p.choice(w, r, o.status, choose.Choices)
		return
	}
	p.odd(w, r, o)
}

// problemPage is what the page about a problem shows.
type problemPage struct {
	problemText
	// Again are the fields of a form that did not get through. Nothing that was typed is lost: the page
	// sends them once more.
	Again  []field
	Action string
	// Switch says that another organization could be chosen, SignOut that another account could.
	Switch, SignOut bool
}

type field struct{ Name, Value string }

// odd answers with the page about a code. It needs no database.
func (p *Pages) odd(w http.ResponseWriter, r *http.Request, o oddity) {
	text := problemTexts[o.code]
	body := problemPage{problemText: text}
	switch o.code {
	case "unavailable":
		w.Header().Set("Retry-After", "5")
		if r.Method == http.MethodPost {
			body.Action, body.Again = r.URL.Path, fieldsOf(r)
		}
	case "no_account", "ambiguous_account", "no_organization":
		body.SignOut = true
	case "not_found":
		// A cookie that names an organization which is no longer the caller's makes every page look
		// absent. Only choosing another one helps.
		body.Switch = true
	}
	f := frame{Title: text.Title, Auth: p.auth, RequestID: caller.RequestID(r.Context())}
	if c, ok := caller.From(r.Context()); ok {
		f.User = whose(c)
	}
	p.send(w, r, f, view{status: o.status, look: "problem", title: text.Title, body: body})
}

// fieldsOf are the fields of the form of a request, in a fixed order.
func fieldsOf(r *http.Request) []field {
	var fields []field
	for name, values := range r.PostForm {
		for _, value := range values {
			fields = append(fields, field{Name: name, Value: value})
		}
	}
	sort.SliceStable(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	return fields
}
