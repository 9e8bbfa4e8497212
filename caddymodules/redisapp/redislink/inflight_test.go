package redislink

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlight_refusesWhenFull(t *testing.T) {
	var f inflight
	for range maxInFlight {
		_, ok := f.acquire()
		require.True(t, ok)
	}
	_, ok := f.acquire()
	assert.False(t, ok, "the 4,097th call is not sent")
	f.release()
	_, ok = f.acquire()
	assert.True(t, ok, "a place that was given back is free")
}

func TestFlight_keepsThePlacesOfAbandonedCallsUntilALaterOneIsAnswered(t *testing.T) {
	var f inflight
	early, _ := f.acquire() // sent before the others, answered late
	for range 10 {
		_, _ = f.acquire()
		f.abandon()
	}
	assert.EqualValues(t, 11, f.open.Load())

	f.releaseAnswered(early)
	assert.EqualValues(t, 10, f.open.Load(), "the answer to an earlier call says nothing of the later ones")

	late, _ := f.acquire()
	f.releaseAnswered(late)
	assert.EqualValues(t, 0, f.open.Load(), "answers come in order: those before are answered too")
}

func TestFlight_aPingSettlesWhenAllPlacesAreTakenByAbandonedCalls(t *testing.T) {
	var f inflight
	for range maxInFlight {
		_, _ = f.acquire()
		f.abandon()
	}
	seq := f.seq()
	_, ok := f.acquire()
	require.False(t, ok)
	f.settle(seq)
	assert.EqualValues(t, 0, f.open.Load())
}

func TestFlight_settlesEachCallOnce(t *testing.T) {
	var f inflight
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 1000 {
				seq, ok := f.acquire()
				switch {
				case !ok:
				case i%2 == 0:
					f.releaseAnswered(seq)
				default:
					f.abandon()
				}
			}
		})
	}
	wg.Wait()
	f.settle(f.seq()) // as the answer to a ping does, or abandoned calls could have taken all places
	rest := f.open.Load()
	seq, ok := f.acquire()
	require.True(t, ok)
	f.releaseAnswered(seq)
	assert.LessOrEqual(t, f.open.Load(), rest)
	assert.GreaterOrEqual(t, f.open.Load(), int64(0), "no place is given back twice")
	assert.Equal(t, f.abandoned.Load(), f.settled.Load())
}
