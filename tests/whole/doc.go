// Package whole tells the story of the whole product: two edge nodes by the distribution's own Caddyfile, Redis, the
// identity provider, the backend with its pages, and PostgreSQL, all as built, and somebody who uses it while Redis
// dies and returns. What each part does by itself is told in its own package. Start with start, and with person.
package whole
