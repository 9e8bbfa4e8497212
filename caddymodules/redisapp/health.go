package redisapp

import (
	"fmt"
	"slices"
	"strings"
)

// Health says whether all links of this configuration are healthy, and in a line for each how they are. An edge
// that is not healthy in this sense is ready all the same: it limits without Redis.
func (a *App) Health() (healthy bool, text string) {
	if !a.Configured() {
		return true, "redis is not configured"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	healthy = true
	var lines []string
	for _, h := range a.links {
		ok, line := h.linkObserver.health()
		healthy = healthy && ok
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if a.started {
		ok, line := a.census.link.linkObserver.health()
		healthy = healthy && ok
		lines = append(lines, line)
	}
	nodes, rank := a.census.census.Share()
	lines = append(lines, fmt.Sprintf("nodes: %d, rank %d, this is %s", nodes, rank, a.NodeID()))
	return healthy, strings.Join(lines, "\n")
}
