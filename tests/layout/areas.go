package layout

import "strings"

// Module is the path of this module; the paths of [Areas] are below it.
const Module = "github.com/gatehouse-proxy/gatehouse"

// Kind is what a package is for. It decides what the package may import.
type Kind int

const (
	// Root is the module's own package, which holds no code.
	Root Kind = iota
	// Registry imports every adapter, so that a build which imports it is the edge.
	Registry
	// Adapter is a Caddy module: it may import what is below its own folder, identity and redislink,
	// and nobody but the registry imports it.
	Adapter
	// Pure decides, and knows neither Caddy nor a logger nor a database.
	Pure
	// Rows decides about rows: it knows Bun, and no Caddy.
	Rows
	// Store keeps the contract of the folder above it, by its one driver.
	Store
	// Backend is the other half's adapters: routes, pages, the database.
	Backend
	// Command is a program.
	Command
	// TestKit is a contract's conformance suite and doubles, which only tests import.
	TestKit
	// Tests is all below tests/ and dev/, which only tests import.
	Tests
)

// Area is the place of a package.
type Area struct {
	// Path is below the module. A path that ends in /... is a folder whose packages, however many,
	// are of one kind.
	Path string
	Kind Kind
	// Drivers are what a Store may import beside its contract and the standard library.
	Drivers []string
	// Not is what the package may not import beside what its kind forbids.
	Not []string
	// Coming marks a package that is not there yet. The mark goes when the package comes.
	Coming bool
}

const (
	caddy   = "github.com/caddyserver/caddy/v2"
	zap     = "go.uber.org/zap"
	bun     = "github.com/uptrace/bun"
	rueidis = "github.com/redis/rueidis"

	edge      = Module + "/caddymodules"
	backend   = Module + "/backend"
	identity  = Module + "/identity"
	redislink = edge + "/redisapp/redislink"
)

// Areas is the layout of this module.
var Areas = []Area{
	{Path: "", Kind: Root},

	// The edge.
	{Path: "caddymodules", Kind: Registry},
	{Path: "caddymodules/cmd/gatehouse", Kind: Command},
	{Path: "caddymodules/cmd/build", Kind: Command},
	{Path: "caddymodules/redisapp", Kind: Adapter},
	{Path: "caddymodules/redisapp/redislink", Kind: Pure},
	{Path: "caddymodules/ratelimit", Kind: Adapter},
	{Path: "caddymodules/ratelimit/limiter", Kind: Pure, Not: []string{rueidis, "net/http"}},
	{Path: "caddymodules/ratelimit/limiter/limitertest", Kind: TestKit},
	{Path: "caddymodules/ratelimit/limiter/localstore", Kind: Store},
	{Path: "caddymodules/ratelimit/limiter/degraded", Kind: Store, Drivers: []string{edge + "/ratelimit/limiter/localstore"}},
	{Path: "caddymodules/ratelimit/limiter/redisstore", Kind: Store, Drivers: []string{redislink, rueidis}},
	{Path: "caddymodules/session", Kind: Adapter},
	{Path: "caddymodules/session/sessions", Kind: Pure, Not: []string{rueidis}},
	{Path: "caddymodules/session/sessions/sessionstest", Kind: TestKit},
	{Path: "caddymodules/session/sessions/localstore", Kind: Store},
	{Path: "caddymodules/session/sessions/redisstore", Kind: Store, Drivers: []string{redislink, rueidis}},
	{Path: "caddymodules/session/oidc", Kind: Pure, Not: []string{rueidis}},
	{Path: "caddymodules/assertidentity", Kind: Adapter},

	// What both halves sign and verify.
	{Path: "identity", Kind: Pure, Not: []string{rueidis}},
	{Path: "identity/recent", Kind: Pure, Not: []string{rueidis}},

	// The backend.
	{Path: "backend/cmd/backend", Kind: Command},
	{Path: "backend/cmd/backend/demo", Kind: Backend},
	{Path: "backend/httpapi", Kind: Backend},
	{Path: "backend/caller", Kind: Backend},
	{Path: "backend/caller/callertest", Kind: TestKit},
	{Path: "backend/web", Kind: Backend},
	{Path: "backend/softdelete", Kind: Rows},
	{Path: "backend/audit", Kind: Rows},
	{Path: "backend/erasure", Kind: Backend, Coming: true},
	{Path: "backend/store", Kind: Backend},
	{Path: "backend/store/internal/names", Kind: Command},
	{Path: "migrations", Kind: Backend},
	{Path: "backend/migrate", Kind: Backend},
	{Path: "backend/migrate/migratetest", Kind: TestKit},

	{Path: "examples/...", Kind: Command},
	{Path: "dev/...", Kind: Tests},
	{Path: "tests/...", Kind: Tests},
}

// contains reports whether the area is the place of the package.
func (a Area) contains(pkg string) bool {
	if folder, ok := strings.CutSuffix(a.importPath(), "/..."); ok {
		return within(pkg, folder)
	}
	return pkg == a.importPath()
}

func (a Area) importPath() string {
	if a.Path == "" {
		return Module
	}
	return Module + "/" + a.Path
}

// within reports whether the package is root or below it.
func within(pkg, root string) bool {
	return pkg == root || strings.HasPrefix(pkg, root+"/")
}
