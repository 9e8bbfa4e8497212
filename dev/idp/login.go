package idp

import (
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cookieName holds the provider's own session. Cookies ignore ports: the provider belongs on another
// host name than the apps.
const cookieName = "devidp_session"

//go:embed pages.html
var pagesHTML string

var pages = template.Must(template.New("pages").Parse(pagesHTML))

// page is what all templates of pages.html share.
type page struct {
	Title   string
	Issuer  string
	Client  string
	Users   []User
	Hint    string // subject of the user whose button has the focus
	Request string // the authorization request, to be sent back
	Strong  bool   // a second factor was asked for
	Error   string
	Detail  string
	Hidden  map[string]string
	User    *User
}

// signIn starts a session and ends the one before it in this browser.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, u User, acr string) *session {
	s := &session{id: randomString(16), user: u, acr: acr, authTime: p.now(), clients: map[string]bool{}}
	value := randomString(32)
	p.mu.Lock()
	if c, err := r.Cookie(cookieName); err == nil {
		if old := p.sessions[c.Value]; old != nil && old.user.Subject == u.Subject {
			// The same person again is the same session, with a newer authentication.
			s.id = old.id
			maps.Copy(s.clients, old.clients)
		}
		delete(p.sessions, c.Value)
	}
	p.sessions[value] = s
	p.mu.Unlock()
	p.setCookie(w, value, 0)
	return s
}

// setCookie sets the session's cookie, or deletes it with a negative age.
func (p *Provider) setCookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure would keep it from a provider on plain http
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (p *Provider) sessionOf(r *http.Request) *session {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[c.Value]
}

func (p *Provider) renderLogin(w http.ResponseWriter, req authRequest, request string) {
	hint := req.loginHint
	if !slices.ContainsFunc(p.users, func(u User) bool { return u.Subject == hint }) && len(p.users) > 0 {
		hint = p.users[0].Subject
	}
	p.render(w, http.StatusOK, "login", req.redirectURI, page{
		Title: "Sign in to " + req.client.ID, Client: req.client.ID, Users: p.users, Hint: hint,
		Request: request, Strong: req.acr == acrSecondFactor,
	})
}

func (p *Provider) renderError(w http.ResponseWriter, status int, code, detail string) {
	p.render(w, status, "error", "", page{Title: "This request cannot be served", Error: code, Detail: detail})
}

func (p *Provider) serveHome(w http.ResponseWriter, r *http.Request) {
	data := page{Title: "Development identity provider", Users: p.users}
	if s := p.sessionOf(r); s != nil {
		data.User = &s.user
	}
	p.render(w, http.StatusOK, "home", "", data)
}

// render writes a page that runs no script and posts only here. A browser holds the redirect that
// answers a form to form-action too, so the client's origin is in it.
func (p *Provider) render(w http.ResponseWriter, status int, name, next string, data page) {
	data.Issuer = p.issuer
	action := "'self'"
	if u, err := url.Parse(next); err == nil && u.Host != "" {
		action += " " + u.Scheme + "://" + u.Host
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action "+action)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	var b strings.Builder
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}
