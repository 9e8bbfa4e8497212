//go:build soak

package sessions_test

func init() { idleRuns = 200_000 }
