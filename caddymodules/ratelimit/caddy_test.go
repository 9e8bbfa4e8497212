package ratelimit_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"

	_ "github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit"
)

// edge is a Caddy in this process. There is one at a time: tests with one do not run in parallel.
type edge struct {
	t    *testing.T
	addr string
	log  string
}

// start runs the sites, in which {addr} is a free address, and global options.
func start(t *testing.T, global, sites string) *edge {
	t.Helper()
	e := prepareEdge(t)
	e.load(global, sites)
	return e
}

// prepareEdge is an edge that nothing has been loaded into.
func prepareEdge(t *testing.T) *edge {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &edge{t: t, addr: listener.Addr().String(), log: filepath.Join(t.TempDir(), "log")}
	require.NoError(t, listener.Close())
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	return e
}

// load is a reload.
func (e *edge) load(global, sites string) {
	e.t.Helper()
	result, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(e.config(global, sites)), nil)
	require.NoError(e.t, err)
	require.NoError(e.t, caddy.Load(result, true))
}

func (e *edge) config(global, sites string) string {
	return fmt.Sprintf(`{
		admin off
		persist_config off
		auto_https off
		grace_period 1s
		log {
			output file %s
		}
		%s
	}
	%s`, e.log, global, strings.ReplaceAll(sites, "{addr}", "http://"+e.addr))
}

// get asks with header fields as "Name: value".
func (e *edge) get(path string, header ...string) (*http.Response, string) {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, "http://"+e.addr+path, http.NoBody)
	require.NoError(e.t, err)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	// A reload leaves the old server's listener open for a moment; a connection that waits in it is
	// closed unread.
	for tries := 0; err != nil && tries < 3; tries++ {
		resp, err = transport.RoundTrip(r)
	}
	require.NoError(e.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	return resp, string(body)
}

// statuses are those of n requests.
func (e *edge) statuses(n int, path string, header ...string) (all []int) {
	e.t.Helper()
	for range n {
		resp, _ := e.get(path, header...)
		all = append(all, resp.StatusCode)
	}
	return all
}

// entries are the log's, of this message.
func (e *edge) entries(message string) (keyInfo []map[string]any) {
	e.t.Helper()
	content, err := os.ReadFile(e.log)
	require.NoError(e.t, err)
	for line := range strings.Lines(string(content)) {
		var entry map[string]any
		require.NoError(e.t, json.Unmarshal([]byte(line), &entry))
		if strings.Contains(entry["msg"].(string), message) {
			keyInfo = append(keyInfo, entry)
		}
	}
	return keyInfo
}

func TestCaddy_problemThroughHandleErrors(t *testing.T) {
	e := start(t, "", `{addr} {
		rate_limit {
			zone api {
				key    {client_ip}
				events 1
				window 1h
			}
		}
		respond "welcome"
		handle_errors 429 {
			header Content-Type application/problem+json
			respond `+"`"+`{"type":"{http.rate_limit.problem}","title":"{err.status_text}","status":{err.status_code},"violated-policies":{http.rate_limit.violated_policies},"zone":"{http.rate_limit.exceeded.name}","after":{http.rate_limit.retry_after}}`+"`"+` 429
		}
	}`)
	resp, body := e.get("/")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "welcome", body)
	require.Equal(t, `"api";r=0;t=3600`, resp.Header.Get("RateLimit"))

	resp, body = e.get("/")
	require.Equal(t, 429, resp.StatusCode)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	require.Equal(t, `"api";q=1;w=3600`, resp.Header.Get("RateLimit-Policy"))
	require.NotEmpty(t, resp.Header.Get("Retry-After"))
	var problem struct {
		Type     string   `json:"type"`
		Title    string   `json:"title"`
		Status   int      `json:"status"`
		Violated []string `json:"violated-policies"`
		Zone     string   `json:"zone"`
		After    int      `json:"after"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &problem))
	require.Equal(t, "https://iana.org/assignments/http-problem-types#quota-exceeded", problem.Type)
	require.Equal(t, "Too Many Requests", problem.Title)
	require.Equal(t, 429, problem.Status)
	require.Equal(t, []string{"api"}, problem.Violated)
	require.Equal(t, "api", problem.Zone)
	require.Contains(t, []int{3599, 3600}, problem.After)
}

func TestCaddy_reloadKeepsWhatWasCounted(t *testing.T) {
	site := func(events int) string {
		return fmt.Sprintf(`{addr} {
			rate_limit {
				zone api {
					events %d
					window 1h
				}
			}
			respond "welcome"
		}`, events)
	}
	e := start(t, "", site(3))
	require.Equal(t, []int{200, 200}, e.statuses(2, "/"))
	e.load("", site(3))
	require.Equal(t, []int{200, 429}, e.statuses(2, "/"), "two of three were used before")
	e.load("", site(5))
	require.Equal(t, []int{200, 200, 429}, e.statuses(3, "/"), "a raised limit is felt at once")
	e.load("", site(2))
	require.Equal(t, []int{429}, e.statuses(1, "/"), "a lowered one too")
	require.Empty(t, e.entries("share their counts"), "the configurations before and after may differ")
}

func TestCaddy_zonesOfOneNameShareTheirCounts(t *testing.T) {
	zone := func(events int) string {
		return fmt.Sprintf("rate_limit {\nzone api {\nevents %d\nwindow 1h\n}\n}\nrespond ok", events)
	}
	e := start(t, "", "{addr} {\nhandle /a/* {\n"+zone(2)+"\n}\nhandle /b/* {\n"+zone(2)+"\n}\n}")
	require.Equal(t, []int{200, 200, 429}, append(e.statuses(1, "/a/"), e.statuses(2, "/b/")...))
	require.Empty(t, e.entries("share their counts"), "they are the same")

	e.load("", "http://a.example:"+port(e.addr)+" {\n"+zone(2)+"\n}\nhttp://b.example:"+port(e.addr)+" {\n"+zone(3)+"\n}")
	entries := e.entries("share their counts")
	require.Len(t, entries, 1)
	entry := entries[0]
	require.Equal(t, "api", entry["zone"])
	require.ElementsMatch(t, []any{
		"rate_limit 1 of site a.example (server srv0)",
		"rate_limit 1 of site b.example (server srv0)",
	}, []any{entry["place"], entry["other_place"]})
	require.Contains(t, entry["definition"], `"max_events":3`)
	require.Contains(t, entry["other_definition"], `"max_events":2`)
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// A client cannot choose the address that it is limited by, unless a trusted proxy says so.
func TestCaddy_forwardingHeadersOfTheUntrusted(t *testing.T) {
	site := `{addr} {
		rate_limit {
			zone ip {
				key    {client_ip}
				events 1
				window 1h
			}
		}
		respond ok
	}`
	e := start(t, "", site)
	require.Equal(t, []int{200}, e.statuses(1, "/", "X-Forwarded-For: 198.51.100.1"))
	require.Equal(t, []int{429}, e.statuses(1, "/", "X-Forwarded-For: 198.51.100.2"))
	require.Equal(t, []int{429}, e.statuses(1, "/", "Forwarded: for=198.51.100.3", "X-Real-Ip: 198.51.100.3"))

	e.load("servers {\ntrusted_proxies static 127.0.0.1\ntrusted_proxies_strict\n}", site)
	require.Equal(t, []int{200, 429}, e.statuses(2, "/", "X-Forwarded-For: 198.51.100.4"))
	require.Equal(t, []int{429}, e.statuses(1, "/", "X-Forwarded-For: 198.51.100.5, 198.51.100.4"), "the rightmost is the proxy's own")
}

// The order of directives is caddy-ratelimit's: a refused request is not authenticated.
func TestCaddy_refusesBeforeAuthentication(t *testing.T) {
	e := start(t, "", `{addr} {
		basic_auth {
			alice $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG
		}
		rate_limit {
			zone tries {
				events 2
				window 1h
			}
		}
		respond secret
	}`)
	require.Equal(t, []int{401, 401, 429}, e.statuses(3, "/"))
}

func TestCaddy_webSocketThroughTheProxy(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("RateLimit", `"app";r=7`)
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	}))
	defer upstream.Close()
	e := start(t, "", "{addr} {\nrate_limit {\nzone ip {\nevents 5\nwindow 1h\n}\n}\nreverse_proxy "+upstream.Listener.Addr().String()+"\n}")

	conn, err := net.Dial("tcp", e.addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+e.addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.NoError(t, err)
	replies := bufio.NewReader(conn)
	resp, err := http.ReadResponse(replies, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, []string{`"app";r=7`, `"ip";r=4;t=3600`}, resp.Header.Values("RateLimit"))
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := replies.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
}
