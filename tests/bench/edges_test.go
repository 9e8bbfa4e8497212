//go:build bench

package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// edgeCase is one way to run the edge.
type edgeCase struct {
	name string
	// site are the lines of the site before reverse_proxy, which may say ISSUER; redis says whether Redis is configured.
	site  string
	redis bool
	keys  uint64
	// refused: the answers are expected to be 429.
	refused bool
	// session: a user signs in first. noJar: the client never takes a cookie, as no browser does.
	session, noJar bool
	// env is added to the environment; binary is another than the edge.
	env    []string
	binary string
}

const noLimit = "limit 1000000000/1s"

const (
	sessionSite = `session {
	secret k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
	provider dev {
		issuer ISSUER
		client_id app
		client_secret hush
	}
	public /health
}
`
	identitySite = "assert_identity {\n audience app\n}\n"
)

func limitSite(limit string) string {
	return "rate_limit {\n op_timeout 1s\n zone z {\n match {\n not path /health\n }\n key {http.request.header.X-Key}\n " + limit + "\n }\n}"
}

// The cases that are compared.
var (
	bare           = edgeCase{name: "bare", keys: 1}
	limitOneKey    = edgeCase{name: "limit, Redis, one key", site: limitSite(noLimit), redis: true, keys: 1}
	limitManyKeys  = edgeCase{name: "limit, Redis, 10,000 keys", site: limitSite(noLimit), redis: true, keys: 10_000}
	limitInProcess = edgeCase{name: "limit, in process", site: limitSite(noLimit), keys: 10_000}
	sessionAlone   = edgeCase{name: "session, cached", site: sessionSite, redis: true, keys: 1, session: true}
	allInProcess   = edgeCase{name: "session, limit in process, identity", site: sessionSite + identitySite + limitSite(noLimit+"\n mode local"), redis: true, keys: 1, session: true}
	withoutJar     = edgeCase{name: "worst case: the same, a client without a jar", site: sessionSite + identitySite + limitSite(noLimit+"\n mode local"), redis: true, keys: 1, session: true, noJar: true}
	allInRedis     = edgeCase{name: "session, limit in Redis, identity", site: sessionSite + identitySite + limitSite(noLimit), redis: true, keys: 1, session: true}
	refusedRedis   = edgeCase{name: "refused, Redis", site: limitSite("limit 1/24h"), redis: true, keys: 1, refused: true}
	refusedProcess = edgeCase{name: "refused, in process", site: limitSite("limit 1/24h"), keys: 1, refused: true}
)

// named is the case under another name, with that added to its environment.
func (c edgeCase) named(name string, env ...string) edgeCase {
	c.name, c.env = name, env
	return c
}

// startEdges starts an edge for each case, all with one Redis and one provider, and signs in where it is wanted.
func startEdges(t *testing.T, up string, cases []edgeCase) []contender {
	t.Helper()
	redis := stack.RedisForTest(t, stack.RedisOptions{})
	binary := stack.BuildGatehouse(t, false)
	addrs := make([]string, len(cases))
	for i := range cases {
		addrs[i] = stack.PortForTest(t).Addr()
	}
	op := startProvider(t, addrs)
	all := make([]contender, len(cases))
	for i, c := range cases {
		if c.binary == "" {
			c.binary = binary
		}
		c.site = strings.ReplaceAll(c.site, "ISSUER", op.Issuer())
		node := stack.GatewayForTest(t, stack.GatewayOptions{
			Name: c.name, Binary: c.binary, Caddyfile: caddyfile(c, i, redis.Addr(), addrs[i], up), Env: c.env,
			Listen: []string{addrs[i]}, Health: "http://" + addrs[i] + "/health",
		})
		all[i] = contender{name: c.name, addr: addrs[i], keys: c.keys, refused: c.refused, pid: node.Process().Pid}
	}
	settle(t, cases, all, op)
	return all
}

// settle waits until all have found Redis and the provider and none takes what Redis says for provisional any
// more, and signs in. The edges without sessions get the cookies of one that has them: the browser of a signed-in
// user sends its cookies to any app, and both sides must carry the same bytes.
func settle(t *testing.T, cases []edgeCase, all []contender, op provider) {
	t.Helper()
	time.Sleep(8 * time.Second)
	var cookies map[string]string
	for i, c := range cases {
		if c.session {
			cookies = op.signIn(t, all[i].addr)
			all[i].cookies = NewJar(cookies)
			if !c.noJar {
				all[i].jar = all[i].cookies
			}
		}
	}
	for i, c := range cases {
		if !c.session {
			all[i].cookies = NewJar(cookies)
		}
	}
}

func caddyfile(c edgeCase, n int, redis, addr, up string) string {
	var global string
	if c.redis {
		// A namespace of its own: all run side by side, and each is one node of one.
		global = fmt.Sprintf("redis {\n address %s\n namespace bench%d\n nodes 1\n }", redis, n)
	}
	return fmt.Sprintf("{\n auto_https off\n persist_config off\n %s\n}\nhttp://%s {\n bind 127.0.0.1\n %s\n reverse_proxy %s\n}\n",
		global, addr, c.site, up)
}
