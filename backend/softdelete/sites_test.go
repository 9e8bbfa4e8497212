//go:build blanksites

package softdelete_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Without its predicate each site shows what is trashed, and is noticed.
func TestSites_areAllNoticed(t *testing.T) {
	for _, site := range softdelete.Sites() {
		t.Run(site, func(t *testing.T) {
			t.Setenv("GATEHOUSE_BLANK_SITE", site)
			require.Contains(t, newWorld(t).seen(), site)
		})
	}
}
