package idp

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The authentication context classes that the login page offers.
const (
	acrPassword     = "pwd"
	acrSecondFactor = "mfa"
)

func methods(acr string) []string {
	if acr == acrSecondFactor {
		return []string{"pwd", "otp", "mfa"}
	}
	return []string{"pwd"}
}

// authRequest is an authorization request that was checked.
type authRequest struct {
	client      Client
	redirectURI string
	state       string
	nonce       string
	challenge   string
	scope       []string
	prompt      []string
	maxAge      time.Duration // negative: not asked
	acr         string        // empty: any
	loginHint   string
}

// authError is what the client is told; without a trusted redirect URI the person is.
type authError struct {
	code, description string
	// back is false while it is not certain that redirectURI belongs to the client.
	back bool
}

// parseAuthRequest checks a request in the order in which it may be trusted: client, redirect URI,
// and only then all that can be answered by a redirect.
func (p *Provider) parseAuthRequest(q url.Values) (authRequest, *authError) {
	for name, values := range q {
		if len(values) > 1 { // RFC 6749, 3.1
			return authRequest{}, &authError{"invalid_request", name + " is repeated", false}
		}
	}
	client, ok := p.clientByID(q.Get("client_id"))
	if !ok {
		return authRequest{}, &authError{"invalid_request", "this client is not registered", false}
	}
	req := authRequest{
		client: client, redirectURI: q.Get("redirect_uri"), state: q.Get("state"), nonce: q.Get("nonce"),
		challenge: q.Get("code_challenge"), scope: strings.Fields(q.Get("scope")),
		prompt: strings.Fields(q.Get("prompt")), maxAge: -1, loginHint: q.Get("login_hint"),
	}
	if !slices.Contains(client.RedirectURIs, req.redirectURI) {
		return req, &authError{"invalid_request", "redirect_uri " + strconv.Quote(req.redirectURI) + " is not registered for " + client.ID, false}
	}
	refuse := func(code, description string) (authRequest, *authError) {
		return req, &authError{code, description, true}
	}
	switch {
	case q.Has("request") || q.Has("request_uri"):
		return refuse("request_not_supported", "request objects are not supported")
	case q.Get("response_type") != "code":
		return refuse("unsupported_response_type", "response_type must be code")
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return refuse("invalid_request", "response_mode must be query")
	case q.Get("code_challenge_method") != "S256" || len(req.challenge) != 43:
		return refuse("invalid_request", "PKCE with S256 is required")
	case !slices.Contains(req.scope, "openid"):
		return refuse("invalid_scope", "scope must hold openid")
	case slices.Contains(req.prompt, "none") && len(req.prompt) > 1:
		return refuse("invalid_request", "prompt none stands alone")
	}
	if q.Has("max_age") {
		seconds, err := strconv.Atoi(q.Get("max_age"))
		if err != nil || seconds < 0 {
			return refuse("invalid_request", "max_age must be a number of seconds")
		}
		req.maxAge = time.Duration(seconds) * time.Second
	}
	for acr := range strings.FieldsSeq(q.Get("acr_values")) {
		if acr == acrPassword || acr == acrSecondFactor {
			req.acr = acr
			break
		}
	}
	return req, nil
}

// satisfiedBy says whether a session answers the request without asking the person again.
func (r authRequest) satisfiedBy(s *session, now time.Time) bool {
	return s != nil &&
		!slices.Contains(r.prompt, "login") && !slices.Contains(r.prompt, "select_account") &&
		(r.maxAge < 0 || now.Sub(s.authTime) <= r.maxAge) &&
		(r.acr != acrSecondFactor || s.acr == acrSecondFactor)
}

func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.renderError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	req, fail := p.parseAuthRequest(r.Form)
	if fail != nil {
		p.answerAuthError(w, r, req, fail)
		return
	}
	s := p.sessionOf(r)
	switch {
	case req.satisfiedBy(s, p.now()):
		p.answerCode(w, r, req, s)
	case slices.Contains(req.prompt, "none"):
		p.answerAuthError(w, r, req, &authError{"login_required", "nobody is signed in as the request asks", true})
	default:
		p.renderLogin(w, req, r.Form.Encode())
	}
}

// serveLogin receives the login page's form: who, how strongly, and the authorization request again.
func (p *Provider) serveLogin(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.PostFormValue("request"))
	if err != nil {
		p.renderError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	req, fail := p.parseAuthRequest(q)
	if fail != nil {
		p.answerAuthError(w, r, req, fail)
		return
	}
	if r.PostForm.Has("cancel") {
		p.answerAuthError(w, r, req, &authError{"access_denied", "the person cancelled", true})
		return
	}
	i := slices.IndexFunc(p.users, func(u User) bool { return u.Subject == r.PostFormValue("user") })
	if i < 0 {
		p.renderError(w, http.StatusBadRequest, "invalid_request", "there is no such user")
		return
	}
	acr := acrPassword
	if req.acr != "" {
		acr = req.acr
	}
	p.answerCode(w, r, req, p.signIn(w, r, p.users[i], acr))
}

// answerCode sends the browser back with an authorization code.
func (p *Provider) answerCode(w http.ResponseWriter, r *http.Request, req authRequest, s *session) {
	value := randomString(32)
	p.mu.Lock()
	s.clients[req.client.ID] = true
	p.codes[value] = &code{
		grant:       &grant{client: req.client, session: s, scope: req.scope},
		redirectURI: req.redirectURI, challenge: req.challenge, nonce: req.nonce,
		expires: p.now().Add(time.Minute),
	}
	p.mu.Unlock()
	p.redirectBack(w, r, req, url.Values{"code": {value}})
}

func (p *Provider) answerAuthError(w http.ResponseWriter, r *http.Request, req authRequest, e *authError) {
	if !e.back {
		p.renderError(w, http.StatusBadRequest, e.code, e.description)
		return
	}
	p.redirectBack(w, r, req, url.Values{"error": {e.code}, "error_description": {e.description}})
}

// redirectBack adds state and the issuer (RFC 9207) to an answer and sends it.
func (p *Provider) redirectBack(w http.ResponseWriter, r *http.Request, req authRequest, answer url.Values) {
	if req.state != "" {
		answer.Set("state", req.state)
	}
	answer.Set("iss", p.issuer)
	for _, f := range p.hit("response", keyOf(responseFaults)) {
		responseFaults[f.Name].apply(answer)
	}
	target := req.redirectURI
	if strings.Contains(target, "?") {
		target += "&" + answer.Encode()
	} else {
		target += "?" + answer.Encode()
	}
	// 303 makes a GET of the login form's POST.
	http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // target is a registered redirect URI
}
