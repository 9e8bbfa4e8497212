//go:build bench

package bench

import (
	"testing"

	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// What each handler costs: the same binary without and with it.
func TestPaired(t *testing.T) {
	app, up := upstream.Start(t, "app")
	compare(t, "the edge to itself", app, startEdges(t, up, []edgeCase{
		bare, limitOneKey, limitManyKeys, limitInProcess, sessionAlone, allInProcess, withoutJar, allInRedis, refusedRedis, refusedProcess,
	}), 1, 32)
}

// What everything costs to who would otherwise run Caddy as it is, or nginx, or HAProxy, each also with its own limit,
// which counts in its own memory.
func TestOthers(t *testing.T) {
	app, up := upstream.Start(t, "app")
	stock := bare.named("Caddy without Gatehouse")
	stock.binary = buildStock(t)
	all := startEdges(t, up, []edgeCase{
		stock, bare.named("Gatehouse, bare"), limitInProcess.named("Gatehouse, limit in process"),
		limitManyKeys.named("Gatehouse, limit in Redis"), allInProcess.named("Gatehouse, session, limit in process, identity"),
		allInRedis.named("Gatehouse, session, limit in Redis, identity"), refusedProcess.named("Gatehouse, refused, in process"),
	})
	all = append(all, startNginx(t, up)...)
	all = append(all, startHAProxy(t, up)...)
	compare(t, "the edge to others", app, all, 32)
}

// What the garbage collector's settings give: all of the edge under each, to the edge bare under Go's own.
func TestGarbageCollection(t *testing.T) {
	app, up := upstream.Start(t, "app")
	settings := []struct {
		name string
		env  []string
	}{
		{"GOGC=100", []string{"GOGC=100"}},
		{"GOGC=200", []string{"GOGC=200"}},
		{"GOGC=400", []string{"GOGC=400"}},
		{"GOGC=off, GOMEMLIMIT=256MiB", []string{"GOGC=off", "GOMEMLIMIT=256MiB"}},
		{"by default", nil},
	}
	var cases []edgeCase
	for _, s := range settings {
		cases = append(cases, bare.named("bare, "+s.name, s.env...))
	}
	for _, s := range settings {
		cases = append(cases, allInProcess.named("all in process, "+s.name, s.env...))
	}
	compare(t, "garbage collection", app, startEdges(t, up, cases), 32)
}
