package idp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Notice is one logout token that was sent to a client, and its answer.
type Notice struct {
	Client string `json:"client"`
	Sid    string `json:"sid"`
	Sub    string `json:"sub"`
	// Status is the client's answer, 0 if there was none; Error says why.
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
}

// serveLogout is the end_session_endpoint (OpenID Connect RP-Initiated Logout 1.0). A hint that fits
// this browser's session ends it at once; otherwise the person is asked.
func (p *Provider) serveLogout(w http.ResponseWriter, r *http.Request) { p.logout(w, r, false) }

// serveLogoutConfirm receives the form that asks the person.
func (p *Provider) serveLogoutConfirm(w http.ResponseWriter, r *http.Request) { p.logout(w, r, true) }

func (p *Provider) logout(w http.ResponseWriter, r *http.Request, confirmed bool) {
	if err := r.ParseForm(); err != nil {
		p.renderError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	hint, ok := p.readHint(r.Form.Get("id_token_hint"))
	if !ok {
		p.renderError(w, http.StatusBadRequest, "invalid_request", "id_token_hint is not an ID token of this provider")
		return
	}
	clientID := r.Form.Get("client_id")
	if hint.Audience != "" {
		if clientID != "" && clientID != hint.Audience {
			p.renderError(w, http.StatusBadRequest, "invalid_request", "client_id is not whom id_token_hint was issued to")
			return
		}
		clientID = hint.Audience
	}
	next := r.Form.Get("post_logout_redirect_uri")
	if next != "" {
		client, ok := p.clientByID(clientID)
		if !ok || !slices.Contains(client.PostLogoutRedirectURIs, next) {
			p.renderError(w, http.StatusBadRequest, "invalid_request", "post_logout_redirect_uri is not registered for this client")
			return
		}
	}
	s := p.sessionOf(r)
	if s != nil && !confirmed && (hint.SessionID == "" || hint.SessionID != s.id) {
		p.render(w, http.StatusOK, "logout", next, page{Title: "Sign out?", User: &s.user, Client: clientID, Hidden: map[string]string{
			"id_token_hint": r.Form.Get("id_token_hint"), "client_id": clientID,
			"post_logout_redirect_uri": next, "state": r.Form.Get("state"),
		}})
		return
	}
	if s != nil {
		p.endSession(r.Context(), s)
		p.setCookie(w, "", -1)
	}
	if next == "" {
		p.render(w, http.StatusOK, "bye", "", page{Title: "You are signed out"})
		return
	}
	if state := r.Form.Get("state"); state != "" {
		sep := "?"
		if strings.Contains(next, "?") {
			sep = "&"
		}
		next += sep + url.Values{"state": {state}}.Encode()
	}
	http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // next is registered
}

// logoutHint is what an id_token_hint says. It may have expired.
type logoutHint struct {
	Audience  string `json:"aud"`
	SessionID string `json:"sid"`
}

func (p *Provider) readHint(token string) (logoutHint, bool) {
	var h logoutHint
	if token == "" {
		return h, true
	}
	payload, err := p.keys.payload(token)
	return h, err == nil && json.Unmarshal(payload, &h) == nil
}

// endSession forgets a session, revokes what lives only as long as it, and tells its clients. It
// returns when all of them have answered or have had their time.
func (p *Provider) endSession(ctx context.Context, s *session) {
	p.mu.Lock()
	for value, other := range p.sessions {
		if other.id == s.id {
			delete(p.sessions, value)
		}
	}
	for _, g := range p.access {
		// Offline access outlives the session (OpenID Connect Back-Channel Logout 1.0, 2.7).
		if g.session.id == s.id && !slices.Contains(g.scope, "offline_access") {
			g.revoked = true
		}
	}
	var told []Client
	for id := range s.clients {
		if c := p.clients[id]; c.BackchannelLogoutURI != "" {
			told = append(told, c)
		}
	}
	p.mu.Unlock()

	// A browser that leaves must not stop the others from being told.
	ctx = context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	for _, c := range told {
		wg.Go(func() { p.Notify(ctx, c.ID, s.user.Subject, s.id) })
	}
	wg.Wait()
}

// EndSessions ends the sessions of a subject and tells their clients, as an administrator would.
func (p *Provider) EndSessions(ctx context.Context, subject string) int {
	p.mu.Lock()
	var ended []*session
	for _, s := range p.sessions {
		if s.user.Subject == subject {
			ended = append(ended, s)
		}
	}
	p.mu.Unlock()
	for _, s := range ended {
		p.endSession(ctx, s)
	}
	return len(ended)
}

// Notify sends one logout token to a client and returns its answer. An empty subject or sid is left out.
func (p *Provider) Notify(ctx context.Context, clientID, subject, sid string) Notice {
	n := Notice{Client: clientID, Sub: subject, Sid: sid}
	if err := p.notify(ctx, &n); err != nil {
		n.Error = err.Error()
	}
	p.mu.Lock()
	p.notices = append(p.notices, n)
	p.mu.Unlock()
	return n
}

func (p *Provider) notify(ctx context.Context, n *Notice) error {
	client, _ := p.clientByID(n.Client)
	token, err := p.LogoutToken(n.Client, n.Sub, n.Sid)
	if err != nil {
		return err
	}
	body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, client.BackchannelLogoutURI, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	n.Status = resp.StatusCode
	return resp.Body.Close()
}

// Notices are the logout tokens that were sent so far.
func (p *Provider) Notices() []Notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notices)
}
