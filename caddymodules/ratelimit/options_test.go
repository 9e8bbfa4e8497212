package ratelimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"
)

func TestParseRate(t *testing.T) {
	for give, want := range map[string]Limit{
		"500/15m": {Rate: 500, Period: caddy.Duration(15 * time.Minute)},
		"10/1s":   {Rate: 10, Period: caddy.Duration(time.Second)},
		"1/1d":    {Rate: 1, Period: caddy.Duration(24 * time.Hour)},
		"-1/1m":   {Rate: -1, Period: caddy.Duration(time.Minute)}, // Validate's to judge
	} {
		got, err := parseRate(give)
		require.NoError(t, err, give)
		require.Equal(t, want, got, give)
	}
	for _, give := range []string{"", "/", "500", "500/", "/15m", "500/s", "500/15", "5e2/15m", "500/15m/1", "500 / 15m", "99999999999999999999/1s"} {
		_, err := parseRate(give)
		require.Error(t, err, give)
	}
}

// What is read is what was written, and nothing makes the parser fail otherwise than by an error.
func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"500/15m", "10/1s", "1/1d", "0/0s", "-5/-1h", "a/b", "/", "1/1d2h3m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseRate(text)
		if err != nil {
			return
		}
		again, err := parseRate(fmt.Sprintf("%d/%s", l.Rate, time.Duration(l.Period)))
		require.NoError(t, err)
		require.Equal(t, l, again)
	})
}
