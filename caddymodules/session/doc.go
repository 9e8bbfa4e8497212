// Package session is the Caddy handler and directive `session`: it signs people in at an OpenID
// provider, finds out who each request belongs to, and answers those that belong to nobody.
//
// What is decided about sessions it leaves to package sessions, what is believed of a provider to
// package oidc; here are HTTP, cookies, pages, configuration, and what must survive a reload. Start
// with [Handler], whose configuration [Provider] and [Rule] complete.
package session
