//go:build soak

package sessions

import "testing"

// TestModel_holdsDeep explores five requests, three at a time, over two nodes: some minutes and gigabytes.
func TestModel_holdsDeep(t *testing.T) {
	m := model{rules: realRules(), extent: extent{sends: 5, atOnce: 3, nodes: 2}}
	if broken := m.explore(); broken != "" {
		t.Fatal(broken)
	}
	t.Logf("%d states", len(m.visited))
}
