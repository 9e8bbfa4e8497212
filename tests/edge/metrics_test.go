package edge

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// Modes of a node, as the gauge tells them.
const (
	exact    = "exact"
	degraded = "degraded"
)

// settle is how long a change of state may take on a busy machine. The targets are far below.
const settle = 30 * time.Second

// metric is the sum of the samples of a name that carry all labels, each written as in name="value".
func (e *edge) metric(node int, name string, labels ...string) (sum float64, found bool) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, e.nodes[node].AdminURL()+"/metrics", http.NoBody)
	require.NoError(e.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(e.t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		all := true
		for _, l := range labels {
			all = all && strings.Contains(rest, l)
		}
		if !all {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		require.NoError(e.t, err)
		sum, found = sum+value, true
	}
	require.NoError(e.t, lines.Err())
	return sum, found
}

// waitMode waits until every node decides in that mode.
func (e *edge) waitMode(mode string) {
	e.t.Helper()
	for i := range e.nodes {
		e.waitNodeMode(i, mode)
	}
}

func (e *edge) waitNodeMode(node int, mode string) {
	e.t.Helper()
	label := fmt.Sprintf("mode=%q", mode)
	require.Eventually(e.t, func() bool {
		v, _ := e.metric(node, "gatehouse_rate_limit_mode", label)
		return v == 1
	}, settle, 20*time.Millisecond, "node %d is not %s", node+1, mode)
}

// waitNodes waits until every node counts n nodes.
func (e *edge) waitNodes(n int) {
	e.t.Helper()
	for i := range e.nodes {
		require.Eventually(e.t, func() bool {
			v, _ := e.metric(i, "gatehouse_redis_nodes")
			return int(v) == n
		}, settle, 50*time.Millisecond, "node %d does not count %d nodes", i+1, n)
	}
}
