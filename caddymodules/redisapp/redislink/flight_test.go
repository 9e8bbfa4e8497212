package redislink

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlight_refusesWhenFull(t *testing.T) {
	var f flight
	for range maxInFlight {
		_, ok := f.board()
		require.True(t, ok)
	}
	_, ok := f.board()
	assert.False(t, ok, "the 4,097th call is not sent")
	f.land()
	_, ok = f.board()
	assert.True(t, ok, "a place that was given back is free")
}

func TestFlight_keepsThePlacesOfAbandonedCallsUntilALaterOneIsAnswered(t *testing.T) {
	var f flight
	early, _ := f.board() // sent before the others, answered late
	for range 10 {
		_, _ = f.board()
		f.abandon()
	}
	assert.EqualValues(t, 11, f.open.Load())

	f.landAnswered(early)
	assert.EqualValues(t, 10, f.open.Load(), "the answer to an earlier call says nothing of the later ones")

	late, _ := f.board()
	f.landAnswered(late)
	assert.EqualValues(t, 0, f.open.Load(), "answers come in order: those before are answered too")
}

func TestFlight_aPingSettlesWhenAllPlacesAreTakenByAbandonedCalls(t *testing.T) {
	var f flight
	for range maxInFlight {
		_, _ = f.board()
		f.abandon()
	}
	ticket := f.ticket()
	_, ok := f.board()
	require.False(t, ok)
	f.settle(ticket)
	assert.EqualValues(t, 0, f.open.Load())
}

func TestFlight_settlesEachCallOnce(t *testing.T) {
	var f flight
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 1000 {
				ticket, ok := f.board()
				switch {
				case !ok:
				case i%2 == 0:
					f.landAnswered(ticket)
				default:
					f.abandon()
				}
			}
		})
	}
	wg.Wait()
	f.settle(f.ticket()) // as the answer to a ping does, or abandoned calls could have taken all places
	rest := f.open.Load()
	ticket, ok := f.board()
	require.True(t, ok)
	f.landAnswered(ticket)
	assert.LessOrEqual(t, f.open.Load(), rest)
	assert.GreaterOrEqual(t, f.open.Load(), int64(0), "no place is given back twice")
	assert.Equal(t, f.abandoned.Load(), f.settled.Load())
}
