package oidc

import (
	"errors"
	"fmt"
	"net/http"
)

// Errors of a provider.
var (
	// ErrUnavailable says that the provider did not answer, or was never reached: nothing is known
	// about the person or the token. Trying again later may help.
	ErrUnavailable = errors.New("identity provider unavailable")
	// ErrInvalidGrant says that the provider does not honour a code or a refresh token (any more).
	ErrInvalidGrant = errors.New("grant is not valid any more")
	// ErrNoEndSession says that the provider offers no RP-initiated logout.
	ErrNoEndSession = errors.New("identity provider has no end_session_endpoint")
)

// Reason says in one word why something was not believed: for metrics and audit lines.
type Reason string

// Reasons of a [RejectedError].
const (
	ReasonMalformed   Reason = "malformed"    // cannot be read, or lacks a claim that must be there
	ReasonAlgorithm   Reason = "algorithm"    // none, symmetric, or not one that the provider announced
	ReasonSignature   Reason = "signature"    // made by another key than the one it names
	ReasonUnknownKey  Reason = "unknown_key"  // names a key that the provider does not publish
	ReasonType        Reason = "type"         // a token of another kind
	ReasonIssuer      Reason = "issuer"       // iss
	ReasonAudience    Reason = "audience"     // aud
	ReasonParty       Reason = "party"        // azp, or several audiences without it
	ReasonSubject     Reason = "subject"      // sub empty or unusable, or not the one expected
	ReasonNonce       Reason = "nonce"        // nonce of another login, or where none may be
	ReasonExpired     Reason = "expired"      // exp
	ReasonTime        Reason = "time"         // nbf or iat in the future, or iat too old
	ReasonAccessToken Reason = "access_token" // at_hash
	ReasonAuthTime    Reason = "auth_time"    // signed in too long ago for the max_age asked
	ReasonState       Reason = "state"        // callback of another login, or of none
	ReasonReplay      Reason = "replay"       // used before
	ReasonEvent       Reason = "event"        // events of a logout token
	ReasonSession     Reason = "session"      // a logout token about nobody
)

// RejectedError says that a token or an answer of the provider is not believed.
type RejectedError struct {
	// What was validated: callback, id token, access token, logout token, userinfo.
	What   string
	Reason Reason
	// Detail is for the log. It may quote what the other side sent.
	Detail string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s rejected (%s): %s", e.What, e.Reason, e.Detail)
}

func reject(what string, reason Reason, format string, args ...any) error {
	return &RejectedError{What: what, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// ResponseError is the provider's own refusal in a callback, as RFC 6749, 4.1.2.1 and OpenID Connect
// Core, 3.1.2.6 name them: access_denied, login_required, interaction_required and so on.
type ResponseError struct {
	Code string
	// Description is the provider's text. Browsers bring it, so anybody can have written it.
	Description string
}

func (e *ResponseError) Error() string {
	return fmt.Sprintf("identity provider answered %q (%q)", e.Code, e.Description)
}

// EndpointError is an error answer of the token or userinfo endpoint. It is ErrInvalidGrant or
// ErrUnavailable, where its code or status say so.
type EndpointError struct {
	Endpoint    string
	Status      int
	Code        string
	Description string
}

func (e *EndpointError) Error() string {
	return fmt.Sprintf("%s endpoint answered %d %q (%q)", e.Endpoint, e.Status, e.Code, e.Description)
}

// Is makes errors.Is find what the answer means.
func (e *EndpointError) Is(target error) bool {
	switch target {
	case ErrInvalidGrant:
		return e.Code == "invalid_grant"
	case ErrUnavailable:
		return e.Code != "invalid_grant" && (e.Status >= http.StatusInternalServerError ||
			e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout ||
			e.Code == "temporarily_unavailable")
	}
	return false
}

// clip bounds text from outside to what a log line can bear.
func clip(s string) string {
	const limit = 200
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}
