//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// otherCase is one way to run nginx or HAProxy: without a limit, with one that nobody meets, with one that
// refuses.
type otherCase struct {
	name, limit string
	keys        uint64
	refused     bool
}

// startNginx starts it as a distribution configures it: a worker for each processor, keep-alive towards the
// app, no access log, as the edge here has none.
func startNginx(t *testing.T, up string) []contender {
	return startOthers(t, "nginx", "nginx-light", []otherCase{
		{name: "nginx, bare", keys: 1},
		{name: "nginx, limit in memory", limit: "limit_req zone=generous burst=1000000 nodelay;", keys: 10_000},
		{name: "nginx, refused", limit: "limit_req zone=strict;", keys: 1, refused: true},
	}, func(c otherCase, dir, addr string) (args []string, config string) {
		config = fmt.Sprintf(`daemon off;
user root;
worker_processes %d;
pid %s/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
	limit_req_zone $http_x_key zone=generous:16m rate=1000000r/s;
	limit_req_zone $http_x_key zone=strict:1m rate=1r/m;
	limit_req_status 429;
	upstream app { server %[3]s; keepalive 64; keepalive_requests 100000000; }
	server {
		listen %[4]s;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		location = /health { proxy_pass http://app; }
		location / { %[5]s proxy_pass http://app; }
	}
}
`, runtime.NumCPU(), dir, up, addr, c.limit)
		return []string{"-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "config")}, config
	})
}

// startHAProxy starts it with a thread for each processor, connections to the app reused, and no log.
func startHAProxy(t *testing.T, up string) []contender {
	const track = "stick-table type string len 32 size 100k expire 1m store http_req_rate(10s)\n\thttp-request track-sc0 req.hdr(X-Key)\n\t" +
		"http-request deny deny_status 429 if !{ path /health } { sc_http_req_rate(0) gt %d }"
	return startOthers(t, "haproxy", "haproxy", []otherCase{
		{name: "HAProxy, bare", keys: 1},
		{name: "HAProxy, limit in memory", limit: fmt.Sprintf(track, 1_000_000_000), keys: 10_000},
		{name: "HAProxy, refused", limit: fmt.Sprintf(track, 1), keys: 1, refused: true},
	}, func(c otherCase, dir, addr string) (args []string, config string) {
		config = fmt.Sprintf(`global
	nbthread %d
	maxconn 1024
defaults
	mode http
	timeout connect 5s
	timeout client 1m
	timeout server 1m
frontend edge
	bind %s
	%s
	default_backend app
backend app
	http-reuse always
	server app %s
`, runtime.NumCPU(), addr, c.limit, up)
		return []string{"-db", "-f", filepath.Join(dir, "config")}, config
	})
}

// startOthers starts a program for each case. One that is not installed is said, and its rows are left out.
func startOthers(t *testing.T, program, pkg string, cases []otherCase, configure func(c otherCase, dir, addr string) (args []string, config string)) (all []contender) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Logf("%s is not installed (apt-get install --no-install-recommends %s): its rows are MISSING from the table", program, pkg)
		return nil
	}
	for _, c := range cases {
		dir, addr := t.TempDir(), stack.PortForTest(t).Addr()
		args, config := configure(c, dir, addr)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
		pid := start(t, c.name, path, addr, args...)
		all = append(all, contender{name: c.name, addr: addr, keys: c.keys, refused: c.refused, pid: pid})
	}
	return all
}
