package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// Options of [New].
type Options struct {
	Store *store.Store
	// Logger is told of what failed, without anything that a person has typed. Default: nobody.
	Logger *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Auth is the edge's prefix, where people sign out. Default: /_auth.
	Auth string
	// SignOut are the origins, beside our own, to which signing out may lead: the identity provider's,
	// where the edge ends the session there too. Browsers hold a form's redirects to the policy.
	SignOut []string
}

// Pages are the pages. They stand behind [caller.Verify], which says who is asking.
type Pages struct {
	store    *store.Store
	entities []*softdelete.Entity // those that there are resources of, in the order of the store
	byKind   map[string]*softdelete.Entity
	logger   *zap.Logger
	now      func() time.Time
	auth     string
	policy   string
	assets   *assets
	looks    *looks
	handler  http.Handler
}

// New returns the pages of a store.
func New(o Options) (*Pages, error) {
	if o.Store == nil {
		return nil, errors.New("pages need a store")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Auth == "" {
		o.Auth = "/_auth"
	}
	policy, err := contentPolicy(o.SignOut)
	if err != nil {
		return nil, err
	}
	p := &Pages{
		store: o.Store, logger: o.Logger, now: o.Now, auth: o.Auth, policy: policy,
		byKind: map[string]*softdelete.Entity{}, assets: readAssets(),
	}
	p.looks = readLooks(p.assets)
	for _, e := range store.Entities {
		if o.Store.Resources[e.Kind] != nil {
			p.entities = append(p.entities, e)
			p.byKind[e.Kind] = e
		}
	}
	p.handler = p.protect(p.routes())
	return p, nil
}

// ServeHTTP answers a request of whoever [caller.Verify] has put into its context.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Refuse answers who was not let in, as [caller.Options] asks for it.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	p.secure(w)
	e := oddity{status: http.StatusUnauthorized, code: "unauthorized"}
	if status == http.StatusServiceUnavailable {
		e = oddity{status: status, code: "unavailable"}
	}
	p.odd(w, r, e)
}

// routes has no route whose GET changes anything, and none whose POST is not below /ui/.
func (p *Pages) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.page(home))
	mux.HandleFunc("GET /settings", p.page(settings))
	mux.HandleFunc("GET /switch", p.choose)
	mux.HandleFunc("POST /ui/switch", p.chosen)
	for _, e := range p.entities {
		kind := e.Kind
		mux.HandleFunc("GET /"+kind, p.page(list(e)))
		mux.HandleFunc("GET /"+kind+"/{id}", p.page(detail(e)))
		mux.HandleFunc("GET /"+kind+"/{id}/edit", p.page(editForm(e)))
		mux.HandleFunc("GET /"+kind+"/{id}/delete", p.page(deleteForm(e)))
		mux.HandleFunc("GET /"+kind+"/{id}/history", p.page(history(e)))
		mux.HandleFunc("GET /trash/rows/"+kind+"/{id}", p.page(trashedRow(e)))
		mux.HandleFunc("POST /ui/"+kind+"/{id}", p.update(e))
		mux.HandleFunc("POST /ui/"+kind+"/{id}/delete", p.remove(e))
		mux.HandleFunc("POST /ui/"+kind+"/{id}/restore", p.restoreRow(e))
		if !e.Root {
			mux.HandleFunc("GET /new/"+kind, p.page(createForm(e)))
			mux.HandleFunc("POST /ui/"+kind, p.create(e))
		}
	}
	mux.HandleFunc("GET /trash", p.page(trash))
	mux.HandleFunc("GET /trash/{deletion}", p.page(deletion))
	mux.HandleFunc("POST /ui/trash/restore", p.restoreMany)
	mux.HandleFunc("POST /ui/trash/{deletion}/restore", p.restore)
	mux.HandleFunc("GET /ui/", seeInstead)
	mux.HandleFunc("GET /assets/{name}", p.assets.serve)
	mux.HandleFunc("GET /favicon.ico", p.assets.favicon)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.fail(w, r, softdelete.ErrNotFound) })
	return mux
}

// seeInstead leads from where a form was posted to the page that it is about: its address stands in the
// browser after a refusal, and is asked for again with Return, or after signing in anew.
func seeInstead(w http.ResponseWriter, r *http.Request) {
	to := strings.TrimPrefix(r.URL.EscapedPath(), "/ui")
	switch {
	case strings.HasSuffix(to, "/restore"):
		to = "/trash"
	case strings.Count(to, "/") == 1 && to != "/switch":
		to = "/new" + to
	}
	leave(w, r, to)
}

// whose is the name by which a page greets the caller.
func whose(c caller.Caller) string {
	for _, claim := range []string{"name", "email"} {
		if name := c.Identity.Claim(claim); name != "" {
			return name
		}
	}
	return "Signed in"
}
