package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// axePath is what npm installs.
const axePath = "../../dev/idp/crosscheck/node_modules/axe-core/axe.min.js"

// axe is the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(axePath)
	require.NoError(t, err, "axe is not installed; mend it with: npm ci --ignore-scripts --prefix dev/idp/crosscheck")
	return string(source)
}

// Every rule; and those that the scheme of colours can make a difference to.
const (
	allRules    = `{resultTypes: ["violations"]}`
	colourRules = `{resultTypes: ["violations"], runOnly: {type: "tag", values: ["cat.color"]}}`
)

// violation is what axe found.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// judge asserts that axe finds nothing wrong with the page as it is shown, and returns how many of its rules
// found something to look at. Options are axe's.
func (b *tab) judge(source, name, options string) (passed int) {
	b.t.Helper()
	if !get(b, chromedp.Evaluate[bool](`"axe" in window`)) {
		get(b, chromedp.Evaluate[bool](source+"; true"))
	}
	answer := get(b, chromedp.Evaluate[string](`axe.run(document, `+options+`).then(r => JSON.stringify({passes: r.passes.length, violations: r.violations}))`, chromedp.EvalAwaitPromise))
	var result struct {
		Passes     int         `json:"passes"`
		Violations []violation `json:"violations"`
	}
	require.NoError(b.t, json.Unmarshal([]byte(answer), &result))
	require.Positive(b.t, result.Passes, name)
	for _, v := range result.Violations {
		told := fmt.Sprintf("%s: %s: %s", name, v.ID, v.Help)
		for _, n := range v.Nodes {
			told += "\n\t" + n.HTML + "\n\t" + n.Summary
		}
		assert.Fail(b.t, told)
	}
	return result.Passes
}
