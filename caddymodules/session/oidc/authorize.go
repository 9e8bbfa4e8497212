package oidc

import (
	"crypto/subtle"
	"net/url"
	"strconv"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// AuthRequest is what an authorization request asks beyond its flow.
type AuthRequest struct {
	// RedirectURI is the callback, registered at the provider.
	RedirectURI string
	// Prompt is none, login, select_account or consent; empty: the provider decides.
	Prompt string
	// ACRValues are the authentication classes wished for, best first. The provider may ignore them:
	// whoever needs one looks at Identity.ACR.
	ACRValues []string
	// LoginHint tells the provider who it may be.
	LoginHint string
}

// AuthURL is where the browser is sent to sign in for f. It is ErrUnavailable until the provider was
// found.
func (p *Provider) AuthURL(f Flow, r AuthRequest) (string, error) {
	m, err := p.endpoints()
	if err != nil {
		return "", err
	}
	var opts []oauth2.AuthCodeOption
	set := func(name, value string) {
		if value != "" {
			opts = append(opts, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name, value := range p.cfg.AuthParams {
		set(name, value)
	}
	// A form post would come without our Lax cookies, a fragment not at all.
	set("response_mode", "query")
	set("prompt", r.Prompt)
	set("acr_values", strings.Join(r.ACRValues, " "))
	set("login_hint", r.LoginHint)
	if f.MaxAge != nil {
		set("max_age", strconv.FormatInt(*f.MaxAge, 10))
	}
	opts = append(opts, gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	return p.oauth(m, r.RedirectURI).AuthCodeURL(f.State, opts...), nil
}

const callback = "callback"

// readAnswer validates the query of a callback and returns its code. The order matters: until state
// fits, nothing else in it concerns this browser.
func (p *Provider) readAnswer(answer url.Values, f Flow, m *metadata) (code string, err error) {
	for _, name := range []string{"state", "iss", "code", "error"} {
		if len(answer[name]) > 1 {
			return "", reject(callback, ReasonMalformed, "%s is repeated", name)
		}
	}
	if f.Provider != p.cfg.Name {
		return "", reject(callback, ReasonState, "the login began at provider %q", clip(f.Provider))
	}
	if f.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(f.State)) != 1 {
		return "", reject(callback, ReasonState, "state is not that of the login under way")
	}
	// RFC 9207: an answer of another provider must not be taken to this one.
	if iss := answer.Get("iss"); answer.Has("iss") && iss != p.cfg.Issuer {
		return "", reject(callback, ReasonIssuer, "iss is %q", clip(iss))
	} else if !answer.Has("iss") && m.IssuerInResponse {
		return "", reject(callback, ReasonIssuer, "iss is missing, the provider promised it")
	}
	if answer.Has("error") {
		return "", &ResponseError{Code: clip(answer.Get("error")), Description: clip(answer.Get("error_description"))}
	}
	if code = answer.Get("code"); code == "" {
		return "", reject(callback, ReasonMalformed, "there is neither a code nor an error")
	}
	return code, nil
}
