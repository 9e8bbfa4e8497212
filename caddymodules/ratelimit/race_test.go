//go:build race

package ratelimit

// Under the race detector sync.Pool drops some of what it is given, on purpose.
const raceDetector = true
