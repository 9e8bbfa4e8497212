// Package adapt holds the golden Caddyfiles: what each option of our directives means in JSON, and
// what is said of a wrong one. Its tests read them through the real adapter and let Caddy validate
// the result, and see that every Caddyfile in the documentation adapts.
//
// A golden file is a Caddyfile, a line of dashes, and the JSON or a part of the error. Write the
// former and run `go test ./tests/adapt -update` for the latter; then read what it wrote.
package adapt
