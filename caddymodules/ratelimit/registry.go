package ratelimit

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// registry knows where each zone is defined, and how. Zones of one name share their counts wherever
// they are; if their definitions differ, somebody is surprised.
type registry struct {
	mu      sync.Mutex
	entries []definition
}

// definition is a zone as one handler defines it.
type definition struct {
	handler *Handler
	zone    string
	// site and number say where the handler stands: the number-th of its site.
	site   string
	number int
	text   string
}

// place is for people.
func (d definition) place() string { return fmt.Sprintf("rate_limit %d of %s", d.number, d.site) }

// add enters the handler's zones and warns of those that are defined otherwise elsewhere in the same
// configuration. During a reload the registry holds two configurations, which may well differ.
func (g *registry) add(ctx caddy.Context, h *Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	site := siteOf(ctx)
	number := g.handlersOf(site, h) + 1
	for _, name := range sortedNames(h.RateLimits) {
		d := definition{handler: h, zone: name, site: site, number: number, text: h.RateLimits[name].definition()}
		for _, other := range g.entries {
			if other.zone == name && other.text != d.text && h.sameConfig(other.handler) {
				h.logger.Warn("zones of one name share their counts, and these are defined differently: give one of them another name",
					zap.String("zone", name),
					zap.String("place", d.place()), zap.String("definition", d.text),
					zap.String("other_place", other.place()), zap.String("other_definition", other.text))
			}
		}
		g.entries = append(g.entries, d)
	}
}

// remove forgets the handler's zones.
func (g *registry) remove(h *Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.entries[:0]
	for _, d := range g.entries {
		if d.handler != h {
			kept = append(kept, d)
		}
	}
	clear(g.entries[len(kept):])
	g.entries = kept
}

// sameConfig says whether both handlers belong to one configuration: each has an events app of its
// own.
func (h *Handler) sameConfig(other *Handler) bool { return h.events == other.events }

// handlersOf counts the site's handlers that are entered already.
func (g *registry) handlersOf(site string, h *Handler) int {
	seen := make(map[*Handler]bool)
	for _, d := range g.entries {
		if d.site == site && h.sameConfig(d.handler) {
			seen[d.handler] = true
		}
	}
	return len(seen)
}

// siteOf names the site that is being provisioned: the hosts of the first route whose handlers Caddy
// has not loaded yet, and the server.
func siteOf(ctx caddy.Context) string {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return "an unnamed route"
	}
	for i := range server.Routes {
		if route := &server.Routes[i]; len(route.HandlersRaw) > 0 {
			if hosts := hostsOf(route); hosts != "" {
				return fmt.Sprintf("site %s (server %s)", hosts, server.Name())
			}
			return fmt.Sprintf("route %d of server %s", i, server.Name())
		}
	}
	return "server " + server.Name()
}

func hostsOf(route *caddyhttp.Route) string {
	for _, set := range route.MatcherSets {
		for _, m := range set {
			if hosts, ok := m.(*caddyhttp.MatchHost); ok {
				return strings.Join(*hosts, ", ")
			}
		}
	}
	return ""
}

// definition renders all that decides how the zone counts. Which requests are in it may differ from
// site to site.
func (z *Zone) definition() string {
	counted := *z
	counted.MatcherSetsRaw = nil
	text, err := json.Marshal(&counted)
	if err != nil {
		return err.Error() // numbers and strings: cannot happen
	}
	return string(text)
}
