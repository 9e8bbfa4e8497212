package limiter

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Advance forgets the slices that left the window and keeps all others.
func TestSlices60_advance(t *testing.T) {
	const width, newest = 1000, 500
	for _, by := range []int64{0, 1, 2, 30, ring - 1, ring, ring + 1, 1000} {
		s := &Slices60{Width: width, Newest: newest}
		for n := int64(newest - ring + 1); n <= newest; n++ {
			s.Counts[n%ring] = uint32(n)
		}
		s.Advance(&Policy{width: width}, (newest+by)*width)
		for n := newest + by - ring + 1; n <= newest+by; n++ {
			want := uint32(0)
			if n <= newest {
				want = uint32(n)
			}
			assert.Equal(t, want, s.Counts[n%ring], "slice %d after %d slices", n, by)
		}
	}
}

// Add counts in the slices of the window, its ends included, and nowhere else.
func TestSlices60_add(t *testing.T) {
	const width, newest = 1000, 500
	for _, c := range []struct {
		slice int64
		want  bool
	}{{newest, true}, {newest + 1, false}, {newest - ring + 1, true}, {newest - ring, false}, {-1, false}} {
		s := &Slices60{Width: width, Newest: newest}
		s.Add(c.slice*width, 7)
		sum := uint32(0)
		for _, n := range s.Counts {
			sum += n
		}
		assert.Equal(t, c.want, sum == 7, "slice %d", c.slice)
	}
	early := &Slices60{Width: width, Newest: 5}
	early.Add(-width, 7)
	assert.True(t, early.Empty(), "before the epoch there is no slice")
}

// A decision of cost 0 charged nothing, and nothing is given back for it.
func TestClaim_refundable(t *testing.T) {
	for _, c := range []struct {
		cost    int64
		allowed bool
		now     int64
		want    bool
	}{{1, true, 0, true}, {0, true, 0, false}, {1, false, 0, false}, {1, true, 999, true}, {1, true, 1000, false}} {
		claim := Claim{Cost: c.cost, Decision: Decision{Allowed: c.allowed, ResetAfter: 1_000_000}}
		assert.Equal(t, c.want, claim.Refundable(c.now), "%+v", c)
	}
}
