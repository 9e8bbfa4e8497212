// Package upstream is the app behind the edge in the demo and in the tests: a real HTTP server that answers
// with what reached it, so that one sees which requests the edge let through and what it told about them.
// Start with [Start] in a test; the program of it is cmd/upstream.
//
//	/                     and every other path: a JSON [Answer]
//	/health, /api/health  200, never counted
//	/slow?for=2s          the same answer after a while, at most MaxDelay
//	/status/<code>        the same answer with that status
//	/_served              how many requests were counted, as a number; not counted itself
package upstream
