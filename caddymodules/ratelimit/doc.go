// Package ratelimit is the Caddy handler and directive `rate_limit`: it decides which zones a request
// is in and what it is counted by, asks the limiter, and answers 429 with the RateLimit headers.
//
// How limits are counted it leaves to the packages below limiter. It takes every line of
// mholt/caddy-ratelimit's configuration under the same module ID. Start with [Handler], whose
// configuration [Zone] and [Limit] complete.
package ratelimit
