package redislink

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errTest = errors.New("it failed")

// closed is a breaker in its first healthy moment, and what it told.
func closed(t *testing.T) (*breaker, *[]State) {
	t.Helper()
	var told []State
	b := newBreaker(25*time.Millisecond, func(to State, _ error) { told = append(told, to) })
	require.Equal(t, StateOpen, b.State(), "open until the first connection is good")
	b.probe(true, nil)
	require.Equal(t, StateClosed, b.State(), "one probe is enough for the first connection")
	return b, &told
}

// start is far from the zero time, and in the middle of a slice.
var start = time.Unix(1_700_000_000, 40_000_000)

func TestBreaker_opens(t *testing.T) {
	type step struct {
		at int // ms
		ok int // successes at that moment
		ko int // failures after them
	}
	tests := []struct {
		name string
		give []step
		want State
	}{
		{"five failures in three groups", []step{{0, 0, 1}, {25, 0, 1}, {50, 0, 1}, {60, 0, 1}, {70, 0, 1}}, StateOpen},
		{"four failures are too few", []step{{0, 0, 1}, {25, 0, 1}, {50, 0, 1}, {75, 0, 1}}, StateClosed},
		{"a stall fails everything in flight at once", []step{{0, 0, 4000}}, StateClosed},
		{"two stalls in a row", []step{{0, 0, 4000}, {40, 0, 4000}}, StateClosed},
		{"three stalls in a row are no stall", []step{{0, 0, 100}, {40, 0, 100}, {80, 0, 1}}, StateOpen},
		{"a group lasts from its first failure, not from its last", []step{{0, 0, 1}, {20, 0, 1}, {40, 0, 1}, {45, 0, 1}, {66, 0, 1}}, StateOpen},
		{"failures that come slowly count all the same", []step{{0, 0, 1}, {10_000, 0, 1}, {20_000, 0, 1}, {30_000, 0, 1}, {40_000, 0, 1}}, StateOpen},
		{"a success in between starts the row anew", []step{{0, 0, 2}, {30, 0, 2}, {60, 1, 4}}, StateClosed},
		{"half of the calls of a second", []step{{0, 4, 4}, {300, 4, 4}, {600, 4, 4}}, StateOpen},
		{"fewer than half", []step{{0, 7, 4}, {300, 7, 4}, {600, 7, 4}}, StateClosed},
		{"half of too few", []step{{0, 3, 3}, {300, 3, 3}, {600, 3, 3}}, StateClosed},
		{"half, but in two stalls", []step{{0, 10, 4}, {20, 10, 4}, {600, 10, 4}, {610, 0, 4}}, StateClosed},
		{"half, but over three seconds", []step{{0, 10, 4}, {1500, 10, 4}, {3000, 4, 4}}, StateClosed},
		{"a good second before is forgotten", []step{{0, 1000, 0}, {1300, 4, 4}, {1600, 4, 4}, {1900, 4, 4}}, StateOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := closed(t)
			for _, s := range tt.give {
				now := start.Add(time.Duration(s.at) * time.Millisecond)
				for range s.ok {
					b.success(now)
				}
				for range s.ko {
					b.failure(now, errTest)
				}
			}
			assert.Equal(t, tt.want, b.State())
		})
	}
}

func TestBreaker_opensAtOnceWhenTheConnectionIsLost(t *testing.T) {
	b, told := closed(t)
	b.trip(errTest)
	b.trip(errTest)
	assert.Equal(t, []State{StateClosed, StateOpen}, *told, "each move is told once")
}

func TestBreaker_closesAfterThreeGoodProbesInARow(t *testing.T) {
	b, told := closed(t)
	b.trip(errTest)
	for _, ok := range []bool{true, true, false, true, true} {
		b.probe(ok, errTest)
		assert.NotEqual(t, StateClosed, b.State())
	}
	b.probe(true, nil)
	assert.Equal(t, StateClosed, b.State())
	assert.Equal(t, []State{StateClosed, StateOpen, StateHalfOpen, StateOpen, StateHalfOpen, StateClosed}, *told)
}

func TestBreaker_forgetsTheTimeBeforeTheOutage(t *testing.T) {
	b, _ := closed(t)
	for i := range 4 {
		b.failure(start.Add(time.Duration(i)*30*time.Millisecond), errTest)
	}
	b.trip(errTest)
	for range closeAfter {
		b.probe(true, nil)
	}
	b.failure(start.Add(time.Second), errTest)
	assert.Equal(t, StateClosed, b.State(), "one failure after the return is one failure")
}

func TestBreaker_ignoresStragglers(t *testing.T) {
	b, told := closed(t)
	b.trip(errTest)
	b.probe(true, nil)
	for i := range 1000 { // each is a group of its own
		b.failure(start.Add(time.Second+time.Duration(i)*30*time.Millisecond), errTest)
	}
	assert.Equal(t, StateHalfOpen, b.State(), "calls from before the outage do not disturb the return")
	assert.Len(t, *told, 3)
}

func TestBreaker_firstConnectionNeedsOneProbeAfterBadOnes(t *testing.T) {
	b := newBreaker(time.Second, nil)
	b.trip(errTest)
	b.probe(false, errTest)
	b.probe(true, nil)
	assert.Equal(t, StateClosed, b.State())
}

func TestBreaker_shutTellsNobody(t *testing.T) {
	b, told := closed(t)
	b.shut()
	b.probe(true, nil)
	b.probe(true, nil)
	assert.Equal(t, StateHalfOpen, b.State())
	assert.Equal(t, []State{StateClosed}, *told)
}
