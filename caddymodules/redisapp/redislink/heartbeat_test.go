package redislink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// written is the number of the next beat.
func written(b *heartbeat, now time.Time) int64 {
	b.next(now)
	return b.sent
}

func TestBeat_kept(t *testing.T) {
	const day = 24 * time.Hour
	ack := func(b *heartbeat, now time.Time) {
		before := b.sent
		written(b, now)
		b.acknowledged(before, before)
	}
	tests := []struct {
		name   string
		beats  int   // acknowledged, a second apart
		stored int64 // relative to the last acknowledged one, in ms
		empty  bool
		want   bool
	}{
		{name: "nothing acknowledged, nothing there", empty: true, want: true},
		{name: "all there", beats: 3, stored: 0, want: true},
		{name: "a later one arrived without an answer", beats: 3, stored: 1000, want: true},
		{name: "the last is missing", beats: 3, stored: -1000, want: false},
		{name: "an old dump", beats: 3, stored: -day.Milliseconds(), want: false},
		{name: "empty", beats: 3, empty: true, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newHeartbeat(Options{Namespace: "ns", NodeID: "n1"}, "limits")
			b.arrived(0)
			now := start
			for range tt.beats {
				now = now.Add(time.Second)
				ack(b, now)
			}
			stored := b.acked + tt.stored
			if tt.empty {
				stored = 0
			}
			assert.Equal(t, tt.want, b.arrived(stored))
			assert.True(t, b.arrived(stored), "the loss is told once")
		})
	}
}

// A process that starts on an older dataset than the one its predecessor wrote must not take the predecessor's
// higher count for its own: that is why beats are moments, and not counted from 1.
func TestBeat_growsOverRestartsOfTheNode(t *testing.T) {
	first := newHeartbeat(Options{}, "limits")
	for i := range 100 {
		written(first, start.Add(time.Duration(i)*time.Second))
	}
	second := newHeartbeat(Options{}, "limits")
	assert.Greater(t, written(second, start.Add(101*time.Second)), first.sent)
}

func TestBeat_growsWhenTheClockGoesBack(t *testing.T) {
	b := newHeartbeat(Options{}, "limits")
	one := written(b, start)
	assert.Greater(t, written(b, start.Add(-time.Hour)), one)
	b.arrived(one + 1_000_000)
	assert.Greater(t, written(b, start), one+1_000_000)
}

func TestBeat_noticesLossAndASecondProcess(t *testing.T) {
	b := newHeartbeat(Options{}, "limits")
	step := func(replaced func(before int64) int64) (lost, shared bool) {
		before := b.sent
		written(b, time.UnixMilli(b.sent+1000))
		return b.acknowledged(replaced(before), before)
	}
	mine := func(before int64) int64 { return before }
	foreign := func(before int64) int64 { return before + 500 }

	b.arrived(0)
	step(func(int64) int64 { return 0 })
	lost, shared := step(mine)
	assert.False(t, lost || shared)
	lost, _ = step(func(int64) int64 { return 0 })
	assert.True(t, lost, "the key vanished")
	lost, _ = step(mine)
	assert.False(t, lost)

	for i := range foreignBeats {
		_, shared = step(foreign)
		assert.Equal(t, i == foreignBeats-1, shared)
	}
	_, shared = step(foreign)
	assert.False(t, shared, "told once")
	step(mine)
	for range foreignBeats - 1 {
		_, shared = step(foreign)
		assert.False(t, shared, "a process that is just going is none")
	}
}
