package layout

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of docs/architecture.md names every package that has rules, and no package that has none.
func TestAreas_areThoseOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| kind | packages | may import |\n| --- | --- | --- |\n")
	require.True(t, found)
	told := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			break
		}
		words := strings.Split(cells[2], "`")
		for i := 1; i < len(words); i += 2 {
			told[strings.TrimSuffix(words[i], "/")] = true
		}
	}
	ruled := map[string]bool{}
	for _, a := range Areas {
		switch a.Kind {
		case Pure, Store, Adapter, Rows, Backend, TestKit, Tests:
			if name := path.Base(strings.TrimSuffix(a.Path, "/...")); !a.Coming {
				ruled[name] = true
			}
		}
	}
	assert.Equal(t, ruled, told)
}
