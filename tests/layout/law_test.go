package layout

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestModule_keepsTheLaw(t *testing.T) {
	g, err := Load(t.Context(), "../..")
	require.NoError(t, err)
	for _, breach := range Check(g, Areas) {
		t.Error(breach)
	}
}

// The law is of use only if it can be broken: a small module that keeps it, and one breach at a time.
func TestCheck_findsEachBreach(t *testing.T) {
	areas := []Area{
		{Path: "", Kind: Root},
		{Path: "caddymodules", Kind: Registry},
		{Path: "caddymodules/cmd/gatehouse", Kind: Command},
		{Path: "caddymodules/redisapp", Kind: Adapter},
		{Path: "caddymodules/redisapp/redislink", Kind: Pure},
		{Path: "caddymodules/ratelimit", Kind: Adapter},
		{Path: "caddymodules/ratelimit/limiter", Kind: Pure, Not: []string{rueidis}},
		{Path: "caddymodules/ratelimit/limiter/limitertest", Kind: TestKit},
		{Path: "caddymodules/ratelimit/limiter/redisstore", Kind: Store, Drivers: []string{rueidis}},
		{Path: "caddymodules/session", Kind: Adapter, Coming: true},
		{Path: "identity", Kind: Pure},
		{Path: "backend/softdelete", Kind: Rows},
		{Path: "backend/store", Kind: Backend},
		{Path: "dev/...", Kind: Tests},
	}
	const (
		limiter    = edge + "/ratelimit/limiter"
		redisstore = limiter + "/redisstore"
	)
	good := func() Graph {
		std := func(imports ...string) Package { return Package{Imports: imports, Standard: true} }
		pkg := func(imports ...string) Package { return Package{Imports: imports, Doc: "Package x."} }
		return Graph{
			"time":                   std(),
			"net/http":               std("time"),
			caddy:                    pkg(zap, "net/http"),
			zap:                      pkg("time"),
			bun:                      pkg("time"),
			rueidis:                  pkg("net/http"),
			Module:                   pkg(),
			edge:                     pkg(edge+"/redisapp", edge+"/ratelimit"),
			edge + "/cmd/gatehouse":  pkg(caddy, edge),
			edge + "/redisapp":       pkg(caddy, zap, redislink),
			redislink:                pkg(rueidis, "time"),
			edge + "/ratelimit":      pkg(caddy, limiter, redisstore, redislink, identity),
			limiter:                  {Imports: []string{"time"}, Tests: []string{limiter + "/limitertest"}, Doc: "Package limiter."},
			limiter + "/limitertest": pkg(limiter, "testing"),
			redisstore:               {Imports: []string{limiter, rueidis, "time"}, Tests: []string{Module + "/dev/stack"}, Doc: "Package redisstore."},
			identity:                 pkg("time"),
			backend + "/softdelete":  pkg(bun),
			backend + "/store":       pkg(bun, backend+"/softdelete", identity),
			Module + "/dev/stack":    pkg("time"),
		}
	}
	require.Empty(t, Check(good(), areas), "the good module")

	imports := func(from, to string) func(Graph) {
		return func(g Graph) {
			p := g[from]
			p.Imports = append(p.Imports, to)
			g[from] = p
		}
	}
	tests := func(from, to string) func(Graph) {
		return func(g Graph) {
			p := g[from]
			p.Tests = append(p.Tests, to)
			g[from] = p
		}
	}
	for _, tt := range []struct {
		name string
		give func(Graph)
		want string
	}{
		{"pure imports Caddy", imports(limiter, caddy), "limiter must not reach " + caddy},
		{"pure reaches a logger through another", imports(rueidis, zap), "redislink must not reach go.uber.org/zap: caddymodules/redisapp/redislink → github.com/redis/rueidis → go.uber.org/zap"},
		{"pure's tests use Caddy", tests(redislink, caddy), "so are its tests"},
		{"contract imports its driver", imports(limiter, rueidis), "limiter must not reach " + rueidis},
		{"store imports a second driver", imports(redisstore, bun), "contract and one driver, not " + bun},
		{"store imports the link", imports(redisstore, redislink), "contract and one driver, not caddymodules/redisapp/redislink"},
		{"module imports another", imports(edge+"/ratelimit", edge+"/redisapp"), "adapters are imported by nobody"},
		{"module imports the inside of another", imports(redislink, limiter), "modules do not import each other"},
		{"backend imports the edge", imports(backend+"/store", limiter), "backend/store must not reach caddymodules, they meet in identity"},
		{"backend's tests import the edge", tests(backend+"/store", limiter), "backend/store must not reach caddymodules"},
		{"backend reaches Caddy", imports(bun, caddy), "backend/softdelete must not reach " + caddy},
		{"rows know HTTP", imports(backend+"/softdelete", "net/http"), "backend/softdelete must not reach net/http"},
		{"edge imports the backend", imports(edge+"/ratelimit", backend+"/softdelete"), "must not reach backend, they meet in identity"},
		{"identity imports a half", imports(identity, redislink), "identity must not reach caddymodules"},
		{"registry imported by a module", imports(edge+"/ratelimit", edge), "only programs and tests do"},
		{"shipped code imports a test kit", imports(redisstore, limiter+"/limitertest"), "which is for tests"},
		{"shipped code imports the launcher", imports(edge+"/redisapp", Module+"/dev/stack"), "which is for tests"},
		{"listed package vanishes", func(g Graph) { delete(g, limiter) }, "caddymodules/ratelimit/limiter is gone"},
		{"listed folder is empty", func(g Graph) { delete(g, Module+"/dev/stack") }, "dev/... is gone"},
		{"coming package has come", func(g Graph) { g[edge+"/session"] = Package{Doc: "Package session."} }, "caddymodules/session has come"},
		{"package without a place", func(g Graph) { g[edge+"/extra"] = Package{Doc: "Package extra."} }, "caddymodules/extra has no place"},
		{"package without a comment", func(g Graph) { g[identity] = Package{} }, "identity has no package comment"},
		{"package named for nothing", func(g Graph) { g[Module+"/dev/helpers"] = Package{Doc: "Package helpers."} }, "named for what it holds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := good()
			before := maps.Clone(g)
			tt.give(g)
			require.NotEqual(t, before, g, "the breach must change the module")
			assert.Contains(t, strings.Join(Check(g, areas), "\n"), tt.want)
		})
	}
}
