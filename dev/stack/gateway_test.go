package stack

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// says is a Caddyfile whose only site answers text.
func says(addr, text string) string {
	return "{\n\tadmin {$GATEHOUSE_ADMIN}\n}\nhttp://" + addr + " {\n\trespond " + strconv.Quote(text) + "\n}\n"
}

func body(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(startContext(t), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

func TestGateway_servesReloadsAndRestarts(t *testing.T) {
	site := PortForTest(t).Addr()
	g := GatewayForTest(t, GatewayOptions{Caddyfile: says(site, "one"), Listen: []string{site}})
	require.Equal(t, "one", body(t, "http://"+site))

	require.NoError(t, g.Reload(startContext(t), says(site, "two")))
	require.Equal(t, "two", body(t, "http://"+site))

	err := g.Reload(startContext(t), "http://"+site+" {\n\tno_such_directive\n}\n")
	require.ErrorContains(t, err, "no_such_directive")
	require.Equal(t, "two", body(t, "http://"+site), "a refused configuration changes nothing")

	require.NoError(t, g.Kill())
	require.NoError(t, g.Restart(startContext(t)))
	require.Equal(t, "one", body(t, "http://"+site), "a restart begins with the first Caddyfile")
}

func TestGateway_readyMeansThatTheUpstreamAnswers(t *testing.T) {
	app, upstreamAddr := upstream.Start(t, "app")
	site := PortForTest(t).Addr()
	GatewayForTest(t, GatewayOptions{
		Caddyfile: "http://" + site + " {\n\treverse_proxy {$GATEHOUSE_UPSTREAM}\n}\n",
		Env:       []string{"GATEHOUSE_UPSTREAM=" + upstreamAddr},
		Listen:    []string{site},
		Health:    "http://" + site + "/health",
	})
	require.Contains(t, body(t, "http://"+site+"/api/x"), `"path": "/api/x"`)
	require.Equal(t, int64(1), app.Served(), "health checks are not counted")
}

func TestGateway_takenPortIsNamedBeforeTheStart(t *testing.T) {
	// What Caddy would do: listen with SO_REUSEPORT, on all addresses.
	site := PortForTest(t)
	leftover := GatewayForTest(t, GatewayOptions{
		Caddyfile: "http://:" + strconv.Itoa(site.Number) + " {\n\trespond leftover\n}\n", Listen: []string{site.Addr()},
	})

	_, err := StartGateway(startContext(t), GatewayOptions{
		Binary: BuildGatehouse(t, false), Caddyfile: says(site.Addr(), "new"), Listen: []string{site.Addr()},
	})
	var taken *PortTakenError
	require.ErrorAs(t, err, &taken)
	require.Equal(t, leftover.Process().Pid(), taken.PID)
	require.ErrorContains(t, err, "stop it with `kill "+strconv.Itoa(taken.PID)+"`")
}

func TestGateway_badCaddyfileShowsCaddysWords(t *testing.T) {
	_, err := StartGateway(startContext(t), GatewayOptions{
		Binary: BuildGatehouse(t, false), Caddyfile: "{\n\tno_such_option\n}\n",
	})
	require.ErrorContains(t, err, "no_such_option")
	require.ErrorContains(t, err, "exit status 1")
}

func TestGateway_environmentOfTheTestIsNotPassedOn(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://elsewhere:6379")
	t.Setenv("GATEHOUSE_SITE", "elsewhere")
	site := PortForTest(t).Addr()
	GatewayForTest(t, GatewayOptions{
		Caddyfile: says(site, "[{env.REDIS_URL}{env.GATEHOUSE_SITE}{env.MINE}]"), Env: []string{"MINE=mine"}, Listen: []string{site},
	})
	require.Equal(t, "[mine]", body(t, "http://"+site))
}

func TestReservePort_isGivenToNobodyElse(t *testing.T) {
	seen := map[int]bool{}
	for range 500 {
		port := PortForTest(t)
		require.False(t, seen[port.Number], "port %d was given twice", port.Number)
		seen[port.Number] = true
	}
	for range 500 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		require.False(t, seen[number], "reserved port %d was given to another listener", number)
	}
}
