package edge

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// shipped is two nodes that run the distribution's own Caddyfile, as `make run` starts them.
type shipped struct {
	t      *testing.T
	urls   []string
	client *http.Client
}

func startShipped(t *testing.T) *shipped {
	t.Helper()
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	redis := stack.RedisForTest(t, stack.RedisOptions{Password: "secret"})
	_, up := upstream.Start(t, "app")
	s := &shipped{t: t}
	storage := t.TempDir()
	for _, name := range []string{"node 1", "node 2"} {
		addr := stack.PortForTest(t).Addr()
		url := "https://" + addr
		stack.GatewayForTest(t, stack.GatewayOptions{
			Name: name, CaddyfilePath: filepath.Join(root, "Caddyfile"), Listen: []string{addr}, Health: url + "/health",
			Env: []string{
				"GATEHOUSE_SITE=" + url, "GATEHOUSE_UPSTREAM=" + up, "REDIS_URL=" + redis.URL(),
				"GATEHOUSE_STORAGE=storage file_system " + storage,
			},
		})
		s.urls = append(s.urls, url)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	s.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return s
}

func (s *shipped) get(node int, path string, header ...string) (*http.Response, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.urls[node]+path, http.NoBody)
	require.NoError(s.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp, body
}

// The three limits that the app had on each node for itself hold over both, and say so as they should.
func TestShipped_limits(t *testing.T) {
	s := startShipped(t)
	statuses := map[int]int{}
	for i := range 16 {
		resp, _ := s.get(i%2, "/api/login")
		statuses[resp.StatusCode]++
	}
	require.Equal(t, map[int]int{200: 10, 429: 6}, statuses)

	resp, body := s.get(1, "/api/login")
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	require.NotEmpty(t, resp.Header.Get("Retry-After"))
	require.Contains(t, resp.Header.Get("RateLimit-Policy"), `"login";q=10;w=900`)
	require.Contains(t, resp.Header.Get("RateLimit"), `"login";r=0;t=`)
	var problem struct {
		Type      string   `json:"type"`
		Status    int      `json:"status"`
		Violated  []string `json:"violated-policies"`
		RequestID string   `json:"requestId"`
	}
	require.NoError(t, json.Unmarshal(body, &problem), "%s", body)
	require.Equal(t, http.StatusTooManyRequests, problem.Status)
	require.Equal(t, []string{"login"}, problem.Violated)
	require.Contains(t, problem.Type, "quota-exceeded")
	require.Equal(t, resp.Header.Get("X-Request-Id"), problem.RequestID)

	for i := range 30 {
		resp, _ := s.get(i%2, "/api/health")
		require.Equal(t, http.StatusOK, resp.StatusCode, "health checks are exempt")
		require.Empty(t, resp.Header.Get("RateLimit"))
	}
	resp, _ = s.get(0, "/api/clients")
	require.Equal(t, http.StatusOK, resp.StatusCode, "only login and logout were used up")
	// 17 tries, of which 10 counted, and this one.
	require.Contains(t, resp.Header.Get("RateLimit"), `"api";r=489;t=`)
	require.Contains(t, resp.Header.Get("RateLimit"), `"site";r=989;t=`)
}

func TestShipped_headers(t *testing.T) {
	s := startShipped(t)
	resp, body := s.get(0, "/page", "Forwarded", "for=203.0.113.9;host=evil.example", "X-Real-Ip", "203.0.113.9", "X-Forwarded-For", "203.0.113.9")
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.NotEmpty(t, resp.Header.Get("Content-Security-Policy"))
	require.NotEmpty(t, resp.Header.Get("Referrer-Policy"))
	require.Empty(t, resp.Header.Get("Server"))
	require.Empty(t, resp.Header.Get("Via"))
	id := resp.Header.Get("X-Request-Id")
	require.NotEmpty(t, id)
	var seen upstream.Answer
	require.NoError(t, json.Unmarshal(body, &seen))
	require.Equal(t, []string{id}, seen.Headers["X-Request-Id"], "the app knows the request by the same id")
	require.Equal(t, []string{"127.0.0.1"}, seen.Headers["X-Forwarded-For"], "nobody's word but the edge's")
	require.NotContains(t, seen.Headers, "Forwarded")
	require.NotContains(t, seen.Headers, "X-Real-Ip")
}
