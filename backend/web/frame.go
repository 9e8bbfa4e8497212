package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// frame is what stands around every page.
type frame struct {
	Title string
	// Organization is empty where none has been entered: on pages about an account, and while the
	// database is away.
	Organization string
	User         string
	Role         string
	Nav          []navGroup
	Auth         string
	Notice       *notice
	Undo         *undo
	RequestID    string
}

// navGroup is a part of the navigation.
type navGroup struct {
	Title string
	Links []navLink
	// More are the kinds that are mostly reached from others.
	More     []navLink
	MoreOpen bool
}

type navLink struct {
	Title, Href string
	Current     bool
}

// notice tells what has just been done.
type notice struct {
	Text string
	Href string
	Link string
}

// undo offers to take a deletion back.
type undo struct {
	Text   string
	Action string
	Href   string
}

// frame is the frame of a page of this visit.
func (v *visit) frame(ctx context.Context, title string) (frame, error) {
	c, _ := caller.From(ctx)
	f := frame{
		Title: title, Organization: v.org.Name, User: whose(c), Role: word(string(v.tx.Role)),
		Auth: v.auth, RequestID: caller.RequestID(ctx),
	}
	if !v.tx.Closed {
		f.Nav = v.nav()
	}
	if v.r.Method != http.MethodGet {
		return f, nil
	}
	query := v.r.URL.Query()
	if text, ok := notices[query.Get("notice")]; ok {
		f.Notice = &notice{Text: text}
	}
	if id, err := uuid.Parse(query.Get("deletion")); err == nil && !v.tx.Closed {
		if err := v.tellDeletion(ctx, &f, id); err != nil {
			return f, err
		}
	}
	return f, nil
}

// notices are the texts that an address may ask for. They say nothing that a stranger's link could abuse.
var notices = map[string]string{
	"saved":    "Your changes are saved.",
	"created":  "It has been added.",
	"same":     "Nothing was changed.",
	"switched": "You are working in another organization now.",
	"restored": "It is back.",
}

// tellDeletion says what became of a deletion that the address names, as far as the caller may see it.
func (v *visit) tellDeletion(ctx context.Context, f *frame, id uuid.UUID) error {
	d, err := v.store.Deletions.Deletion(ctx, v.tx, id)
	if errors.Is(err, softdelete.ErrNotFound) || errors.Is(err, softdelete.ErrForbidden) {
		return nil
	}
	if err != nil {
		return err
	}
	what := quoted(d.Root.Label, v.singular(d.Root.Kind))
	switch {
	case d.State == softdelete.Trashed:
		f.Notice = nil
		f.Undo = &undo{
			Text:   what + " is in the Trash" + with(v.others(d.Counts, d.Root.Kind)) + ".",
			Action: "/ui/trash/" + d.ID.String() + "/restore", Href: "/trash/" + d.ID.String(),
		}
	case len(d.Restored) > 0:
		f.Notice = &notice{Text: what + " is back" + with(v.others(d.Restored, d.Root.Kind)) + "." + v.notRearmed(d.Restored, "came")}
		if d.State == softdelete.Partial {
			f.Notice.Href, f.Notice.Link = "/trash/"+d.ID.String(), "See what is still in the Trash"
		}
	}
	return nil
}

// nav is the navigation: what people look for first in the open, the rest a step away.
func (v *visit) nav() []navGroup {
	path := v.r.URL.Path
	link := func(title, href string) navLink {
		return navLink{Title: title, Href: href, Current: path == href || within(path, href)}
	}
	groups := []navGroup{{Links: []navLink{{Title: "Home", Href: "/", Current: path == "/"}}}}
	for _, section := range sections {
		g := navGroup{Title: section.title}
		for _, kind := range section.first {
			if e := v.byKind[kind]; e != nil {
				g.Links = append(g.Links, link(e.Plural, "/"+kind))
			}
		}
		for _, kind := range section.more {
			if e := v.byKind[kind]; e != nil {
				l := link(e.Plural, "/"+kind)
				g.MoreOpen = g.MoreOpen || l.Current
				g.More = append(g.More, l)
			}
		}
		if section.settings {
			l := link("Settings", "/settings")
			l.Current = l.Current || within(path, "/"+store.Organizations.Kind)
			g.Links = append(g.Links, l)
		}
		if len(g.Links)+len(g.More) > 0 {
			groups = append(groups, g)
		}
	}
	if v.mayTrash() {
		groups = append(groups, navGroup{Links: []navLink{link("Trash", "/trash")}})
	}
	return groups
}

// within reports whether a path is a page of the part of the site that begins with href.
func within(path, href string) bool {
	return len(path) > len(href) && path[:len(href)] == href && path[len(href)] == '/' ||
		path == "/new"+href
}

// singular is the name for one row of a kind, in the middle of a sentence.
func (p *Pages) singular(kind string) string {
	if e := p.byKind[kind]; e != nil {
		return lower(e.Singular)
	}
	return kind
}

func (p *Pages) href(kind, id string) string {
	if kind == store.Organizations.Kind {
		return "/settings"
	}
	return "/" + kind + "/" + url.PathEscape(id)
}
