package degraded

import (
	"sync"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// subset is some of a call's claims, under other policies perhaps, and where they came from. It is
// pooled, so that a decision allocates nothing.
type subset struct {
	claims []limiter.Claim
	from   []int
}

var subsets = sync.Pool{New: func() any { return new(subset) }}

func borrow() *subset { return subsets.Get().(*subset) }

func giveBack(s *subset) {
	clear(s.claims) // policies of an unloaded configuration must not be kept alive
	s.claims, s.from = s.claims[:0], s.from[:0]
	subsets.Put(s)
}

func (s *subset) add(claims []limiter.Claim, i int) {
	s.claims = append(s.claims, claims[i])
	s.from = append(s.from, i)
}

// copyTo writes the decisions back.
func (s *subset) copyTo(claims []limiter.Claim) {
	for i, at := range s.from {
		claims[at].Decision = s.claims[i].Decision
	}
}

// answer writes the decisions of a node alone back. Claims that are not in the subset fail open.
func (s *subset) answer(claims []limiter.Claim) {
	for i := range claims {
		claims[i].Decision = limiter.Decision{Allowed: true, Degraded: true}
	}
	s.copyTo(claims)
	for _, at := range s.from {
		claims[at].Decision.Degraded = true
	}
}
