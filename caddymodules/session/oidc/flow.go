package oidc

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// FlowLifetime is how long a person may take at the provider.
const FlowLifetime = 10 * time.Minute

// Flow is one login under way: what the browser carries, sealed by a [FlowSealer], from the
// authorization request to the callback. Each is good for one callback.
type Flow struct {
	// Provider is the configured name of the provider that was asked.
	Provider string `json:"p"`
	// State comes back in the callback's query; it binds the callback to this browser.
	State string `json:"s"`
	// Nonce comes back in the ID token; it binds the token to this login.
	Nonce string `json:"n"`
	// Verifier is the PKCE code verifier; it binds the code to this login.
	Verifier string `json:"v"`
	// ReturnTo is where the person wanted to go; [ReturnTo] has validated it.
	ReturnTo string `json:"r,omitempty"`
	// Created is when the login began, in Unix seconds.
	Created int64 `json:"c"`
	// MaxAge is the max_age that was asked, in seconds; nil: none.
	MaxAge *int64 `json:"m,omitempty"`
}

// NewFlow begins a login with fresh secrets: 128 bits of state and nonce, 256 of verifier.
func NewFlow(provider, returnTo string, now time.Time) Flow {
	return Flow{
		Provider: provider, State: randomString(stateBytes), Nonce: randomString(stateBytes),
		Verifier: randomString(32), ReturnTo: returnTo, Created: now.Unix(),
	}
}

// WithMaxAge asks that the person has signed in at the provider no longer ago than d; 0 asks for a
// new sign-in.
func (f Flow) WithMaxAge(d time.Duration) Flow {
	seconds := int64(d / time.Second)
	f.MaxAge = &seconds
	return f
}

const stateBytes = 16

// FlowID returns the part of a state that may name the flow's cookie, so that logins in several tabs
// do not overwrite each other. It is empty if state cannot be one of ours.
func FlowID(state string) string {
	if len(state) != base64.RawURLEncoding.EncodedLen(stateBytes) || strings.Trim(state, base64URL) != "" {
		return ""
	}
	return state[:8]
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func randomString(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}
