package whole

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// patience is what a request may take on a busy machine. That limits and sessions wait no longer for Redis than they
// say is measured elsewhere; here nobody may hang.
const patience = 10 * time.Second

// Somebody signs in at one node and works at the other; Redis dies under it, and the work goes on: nobody is signed
// out, limits hold at each node's share, what was deleted comes back. Then Redis returns, and all is as it was.
func TestStory(t *testing.T) {
	redis := stack.RedisForTest(t, stack.RedisOptions{AppendOnly: true})
	s := start(t, 2, redis)
	adam := s.person("adam", "203.0.113.1")
	adam.signIn(0)

	clients := adam.list(1)
	victim := clients["data"].([]any)[0].(map[string]any)
	path := "/api/clients/" + victim["id"].(string)
	contacts := adam.call(0, http.MethodGet, "/api/contacts?limit=200&clientCompanyId="+victim["id"].(string), "")

	deleted := adam.call(1, http.MethodDelete, path, `{"reason":"a duplicate"}`)
	require.Equal(t, http.StatusOK, deleted.status, deleted.body)
	deletion := deleted.object(t)["deletion"].(map[string]any)
	require.Equal(t, http.StatusNotFound, adam.call(0, http.MethodGet, path, "").status)
	s.oneRequestID(deleted.header.Get("X-Request-Id"), deletion["id"].(string))

	require.NoError(t, redis.Kill())
	for i := range 20 {
		a := adam.call(i%2, http.MethodGet, "/api/trash", "")
		require.Equal(t, http.StatusOK, a.status, "signed in without Redis: %s", a.body)
		require.Less(t, a.waited, patience)
	}
	for i := range s.nodes {
		s.wait(i, "gatehouse_session_degraded", "1")
	}
	require.Equal(t, map[int]int{http.StatusServiceUnavailable: 10, http.StatusTooManyRequests: 10}, s.person("mia", "203.0.113.2").tries(20),
		"five on each node may try to sign in, which has to wait for Redis")
	restored := adam.call(0, http.MethodPost, deletion["restoreUrl"].(string), "{}")
	require.Equal(t, http.StatusOK, restored.status, restored.body)
	require.Equal(t, deletion["counts"], restored.object(t)["restored"])

	require.NoError(t, redis.Restart(t.Context()))
	for i := range s.nodes {
		s.wait(i, "gatehouse_session_degraded", "0")
		s.wait(i, `gatehouse_rate_limit_mode{mode="exact"}`, "1")
	}
	require.Equal(t, map[int]int{http.StatusTooManyRequests: 4}, s.person("mia", "203.0.113.2").tries(4), "what was admitted without Redis counts")
	require.Equal(t, map[int]int{http.StatusFound: 10, http.StatusTooManyRequests: 2}, s.person("mia", "203.0.113.3").tries(12), "exact over both nodes")

	// As it was, on both nodes; the version alone has counted the deletion and its undoing.
	for node := range s.nodes {
		require.Equal(t, clients["pagination"], adam.list(node)["pagination"])
		row := adam.call(node, http.MethodGet, path, "").object(t)
		require.InDelta(t, victim["version"].(float64)+2, row["version"], 0)
		row["version"] = victim["version"]
		require.Equal(t, victim, row)
		again := adam.call(node, http.MethodGet, "/api/contacts?limit=200&clientCompanyId="+victim["id"].(string), "")
		require.Equal(t, contacts.object(t)["pagination"], again.object(t)["pagination"])
	}
	require.Equal(t, "restored", adam.call(1, http.MethodGet, "/api/deletions/"+deletion["id"].(string), "").object(t)["deletion"].(map[string]any)["state"])
}

// list are the clients of the demo's organization.
func (p *person) list(node int) map[string]any {
	p.t.Helper()
	a := p.call(node, http.MethodGet, "/api/clients?limit=200", "")
	require.Equal(p.t, http.StatusOK, a.status, a.body)
	return a.object(p.t)
}

// oneRequestID looks for a request in the edge's log, in the backend's and in the audit rows of its deletion.
func (s *system) oneRequestID(id, deletion string) {
	s.t.Helper()
	require.NotEmpty(s.t, id)
	edge, other := s.nodes[1].Log(), s.nodes[0].Log()
	require.Contains(s.t, edge, id)
	require.NotContains(s.t, other, id)
	require.Eventually(s.t, func() bool { return strings.Contains(s.backend.Log(), id) }, 10*time.Second, 10*time.Millisecond)

	ctx := context.WithoutCancel(s.t.Context())
	db, err := pgx.Connect(ctx, s.base.DSN(stack.OwnerLogin))
	require.NoError(s.t, err)
	defer db.Close(ctx)
	var rows, ours int
	require.NoError(s.t, db.QueryRow(ctx, "select count(*), count(*) filter (where request_id = $1) from audit_events where deletion_id = $2 and action = 'soft_delete'",
		id, deletion).Scan(&rows, &ours))
	require.Positive(s.t, rows)
	require.Equal(s.t, rows, ours, "each row of the deletion is in the trail, under the request's id")
}

// Without Redis one node is a whole edge: people sign in, and limits are its own.
func TestAlone(t *testing.T) {
	s := start(t, 1, nil)
	mia := s.person("mia", "203.0.113.1")
	mia.signIn(0)
	require.NotEmpty(t, mia.list(0)["data"])
	require.Equal(t, map[int]int{http.StatusFound: 10, http.StatusTooManyRequests: 2}, s.person("viktor", "203.0.113.2").tries(12))
}
