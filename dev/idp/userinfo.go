package idp

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// serveUserinfo tells the bearer of an access token about its user.
func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	g := p.grantOf(r)
	if g == nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := userClaims(g.session.user, g.scope)
	claims["sub"] = g.session.user.Subject
	for _, f := range p.hit("userinfo", keyOf(userinfoFaults)) {
		userinfoFaults[f.Name].apply(claims)
	}
	writeJSON(w, http.StatusOK, claims)
}

// grantOf is nil for a token that is not ours, has expired or was revoked.
func (p *Provider) grantOf(r *http.Request) *grant {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil
	}
	payload, err := p.keys.payload(token)
	if err != nil {
		return nil
	}
	var claims struct {
		ID      string `json:"jti"`
		Expires int64  `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || !p.now().Before(time.Unix(claims.Expires, 0)) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.access[claims.ID]
	if g == nil || g.revoked {
		return nil
	}
	return g
}
