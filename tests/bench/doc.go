// Package bench measures what the edge costs: the same binary with and without its handlers, Caddy as it is, nginx and
// HAProxy, back to back in one run, in both orders, with a real Redis and a real upstream on the same machine.
//
// The machines are small and noisy, so it reports ratios and medians, and nothing fails for being slow.
// `make bench` runs it; docs/performance.md says how to read it.
package bench
