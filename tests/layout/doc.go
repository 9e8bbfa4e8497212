// Package layout keeps the law of who may import whom, as docs/architecture.md draws it.
//
// Every package of the module has a place in [Areas], and the place decides what it may import,
// directly or through others. A package without a place, a place without its package, and an import
// against the rules fail the package's test. The linter's depguard says some of it earlier, in the
// editor, but sees direct imports only.
//
// Run it with -count=1, as `make stories` does: go test's cache does not see the files that the go
// command reads here.
package layout
