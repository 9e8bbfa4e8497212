package signin

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// The Redis user that the example describes may do all that sessions need.
func TestRedisUser_ofTheExampleSuffices(t *testing.T) {
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	example, err := os.ReadFile(filepath.Join(root, "examples", "redis-tls", "Caddyfile"))
	require.NoError(t, err)
	user := regexp.MustCompile(`(?m)^#\s+(user gatehouse .*)$`).FindStringSubmatch(string(example))
	require.NotNil(t, user, "the example says what the user may do")
	s := startAt(t, "http://127.0.0.1", "rotation 6s\nmax_sessions 3\nlogout rp", stack.RedisOptions{
		ACL: []string{"user default off", strings.Replace(user[1], "PASSWORD", "hush", 1)},
	}, "gatehouse")
	p := s.person("mia")
	p.signIn(0, "/")
	for i := range 4 {
		p.seen(p.call(i%2, "/"))
	}
	require.Equal(t, http.StatusOK, p.send(1, http.MethodPost, "/_auth/logout", false, script).status)
	for i := range s.nodes {
		require.Zero(t, s.metric(i, "gatehouse_session_degraded"))
		require.Positive(t, s.metric(i, `gatehouse_session_validations_total{result="signed_in",source="cache"}`), "node %d reads copies", i+1)
		require.NotContains(t, s.nodes[i].Log(), "NOPERM")
	}
}
