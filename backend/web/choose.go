package web

import (
	"net/http"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// choosePage lists the organizations that the caller belongs to.
type choosePage struct {
	Choices []choice
}

type choice struct {
	ID, Name, Role string
	Current        bool
}

// choose is the page for changing to another organization. It works whatever the cookie says.
func (p *Pages) choose(w http.ResponseWriter, r *http.Request) {
	c, _ := caller.From(r.Context())
	memberships, err := p.store.Memberships(r.Context(), c.Person)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if len(memberships) == 0 {
		p.fail(w, r, store.ErrNoOrganization)
		return
	}
	p.choice(w, r, http.StatusOK, memberships)
}

func (p *Pages) choice(w http.ResponseWriter, r *http.Request, status int, memberships []store.Membership) {
	c, _ := caller.From(r.Context())
	now := caller.Request(r.Context(), r).Organization
	var body choosePage
	for _, m := range memberships {
		body.Choices = append(body.Choices, choice{m.ID, m.Name, word(string(m.Role)), now != "" && (m.ID == now || m.Slug == now)})
	}
	f := frame{Title: "Choose an organization", User: whose(c), Auth: p.auth, RequestID: c.RequestID}
	p.send(w, r, f, view{status: status, look: "choose", body: body})
}

// chosen remembers the choice in a cookie. It is a wish: the store judges it with every request.
func (p *Pages) chosen(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	c, _ := caller.From(r.Context())
	memberships, err := p.store.Memberships(r.Context(), c.Person)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	for _, m := range memberships {
		if m.ID == r.PostForm.Get("organization") {
			http.SetCookie(w, &http.Cookie{
				Name: caller.CookieOrganization, Value: m.ID, Path: "/", MaxAge: 365 * 24 * 3600,
				HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
			})
			leave(w, r, "/?notice=switched")
			return
		}
	}
	p.fail(w, r, softdelete.ErrNotFound)
}
