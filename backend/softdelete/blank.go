//go:build !blanksites

package softdelete

// blanked is for builds of the tests: see blanksites.go.
func blanked(site) bool { return false }
