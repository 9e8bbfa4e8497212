package main

import (
	"runtime/debug"
	"testing"
)

func TestCollectLess_unlessToldOtherwise(t *testing.T) {
	const before = 100
	for _, test := range []struct {
		name string
		give map[string]string
		want int
	}{
		{"nobody says anything", nil, gcPercent},
		{"GOGC", map[string]string{"GOGC": "50"}, before},
		{"a limit, which somebody chose together with GOGC's default", map[string]string{"GOMEMLIMIT": "256MiB"}, before},
		{"no limit, so nothing that would catch a heap that grows", map[string]string{"AUTOMEMLIMIT": "off"}, before},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"GOGC", "GOMEMLIMIT", "AUTOMEMLIMIT"} {
				t.Setenv(name, test.give[name])
			}
			was := debug.SetGCPercent(before)
			defer debug.SetGCPercent(was)
			collectLess()
			if got := debug.SetGCPercent(before); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
