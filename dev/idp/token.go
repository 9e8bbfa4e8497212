package idp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// code is an authorization code, good once.
type code struct {
	grant       *grant
	redirectURI string
	challenge   string
	nonce       string
	expires     time.Time
	spent       bool
}

// refreshToken is one link of a chain of rotated tokens, which share their grant.
type refreshToken struct {
	grant *grant
	spent bool
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	client, ok := p.authenticate(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		writeError(w, http.StatusUnauthorized, "invalid_client", "the client is unknown or its secret is wrong")
		return
	}
	if p.hits("token", "invalid_grant") {
		writeError(w, http.StatusBadRequest, "invalid_grant", "a fault refuses every grant")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		g, nonce, refused := p.redeemCode(client, r.PostForm)
		if refused != "" {
			writeError(w, http.StatusBadRequest, "invalid_grant", refused)
			return
		}
		p.answerTokens(w, g, nonce, slices.Contains(g.scope, "offline_access"))
	case "refresh_token":
		g, refused := p.redeemRefresh(client, r.PostForm.Get("refresh_token"))
		if refused != "" {
			writeError(w, http.StatusBadRequest, "invalid_grant", refused)
			return
		}
		p.answerTokens(w, g, "", true)
	default:
		writeError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
	}
}

// authenticate accepts the secret by basic authentication or in the form, not both; a public client
// sends its id alone.
func (p *Provider) authenticate(r *http.Request) (Client, bool) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		userID, err1 := url.QueryUnescape(user) // RFC 6749, 2.3.1
		userSecret, err2 := url.QueryUnescape(pass)
		if err1 != nil || err2 != nil || secret != "" || (id != "" && id != userID) {
			return Client{}, false
		}
		id, secret = userID, userSecret
	}
	c, ok := p.clientByID(id)
	return c, ok && subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) == 1
}

// redeemCode spends a code. A code that is spent twice was stolen by somebody: its tokens die too.
func (p *Provider) redeemCode(client Client, form url.Values) (g *grant, nonce, refused string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.codes[form.Get("code")]
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case c == nil || c.grant.client.ID != client.ID:
		return nil, "", "this code was not issued to this client"
	case c.spent:
		c.grant.revoked = true
		return nil, "", "this code was used before"
	case p.now().After(c.expires):
		return nil, "", "this code has expired"
	case c.redirectURI != form.Get("redirect_uri"):
		return nil, "", "redirect_uri is not the one of the authorization request"
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return nil, "", "code_verifier does not fit the challenge"
	}
	c.spent = true
	return c.grant, c.nonce, ""
}

// redeemRefresh spends a refresh token. One that comes twice was copied: the whole chain ends.
func (p *Provider) redeemRefresh(client Client, value string) (g *grant, refused string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refresh[value]
	switch {
	case t == nil || t.grant.client.ID != client.ID:
		return nil, "this refresh token was not issued to this client"
	case t.grant.revoked:
		return nil, "this grant was revoked"
	case t.spent:
		t.grant.revoked = true
		return nil, "this refresh token was used before"
	}
	t.spent = true
	return t.grant, ""
}

func (p *Provider) answerTokens(w http.ResponseWriter, g *grant, nonce string, withRefresh bool) {
	access, err := p.accessTokenFor(g)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	id, err := p.idTokenFor(g, nonce, access)
	if err != nil {
		writeError(w, http.StatusInternalServerError, "server_error", err.Error())
		return
	}
	answer := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": int(p.life.Seconds()),
		"id_token": id, "scope": strings.Join(g.scope, " "),
	}
	if withRefresh {
		value := randomString(32)
		p.mu.Lock()
		p.refresh[value] = &refreshToken{grant: g}
		p.mu.Unlock()
		answer["refresh_token"] = value
	}
	if p.hits("token", "no_id_token") {
		delete(answer, "id_token")
	}
	if p.hits("token", "wrong_token_type") {
		answer["token_type"] = "mac"
	}
	writeJSON(w, http.StatusOK, answer)
}
