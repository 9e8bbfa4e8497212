// Package docs tests what readers copy: every Caddyfile of this repository, alone or in a page, is taken by
// the built edge, and every link between the pages leads somewhere.
package docs
