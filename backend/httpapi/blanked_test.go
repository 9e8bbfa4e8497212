//go:build blanksites

package httpapi

import (
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// TestBlanked leaves out the predicate of one place that reads live rows after the other: the play of
// TestDifferential_trashedIsAbsent must notice each. make blanked runs it.
func TestBlanked(t *testing.T) {
	for _, site := range softdelete.Sites() {
		t.Run(site, func(t *testing.T) {
			p := newPair(t, 1)
			p.enough = 1
			t.Setenv("GATEHOUSE_BLANK_SITE", site)
			switch site {
			case "owners", "twin", "cascade": // what writes alone goes by
				p.writing(true)
			default:
				p.reading(true)
			}
			if len(p.differences) == 0 {
				t.Errorf("%d requests, and nothing notices that the predicate is missing", p.requests)
				return
			}
			t.Logf("noticed by request %d: %.300s", p.requests, p.differences[0])
		})
	}
}
