package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The recipes for maintainers list the files that a change touches. A move must not leave a list behind.
func TestExtending_namesWhatIsThere(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile("`((?:backend|caddymodules|docs|migrations|tests|identity)(?:/[\\w./-]+)?|CHANGELOG\\.md)`").FindAllStringSubmatch(textFiles(t)["docs/extending.md"], -1)
	require.Greater(t, len(named), 15, "the search finds too little")
	for _, m := range named {
		_, err := os.Stat(filepath.Join(root(t), m[1]))
		assert.NoError(t, err, "docs/extending.md names %s", m[1])
	}
}
