package redislink

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// inspect asks a connection, before calls are sent over it, what the server behind it still knows, and prepares
// it: scripts are loaded, and an operator's mistakes are looked for. Only silence and refusals are errors.
func (w *watch) inspect(ctx context.Context) (Arrival, error) {
	if err := w.loadScripts(ctx); err != nil {
		return Arrival{}, err
	}
	facts, err := w.inquire(ctx)
	if err != nil {
		return Arrival{}, err
	}
	stored, err := number(w.conn.client.Do(ctx, w.heartbeat.read(w.conn.client.B())))
	if err != nil {
		return Arrival{}, err
	}
	arrival := Arrival{
		RunID:      facts.runID,
		SameRun:    facts.runID != "" && facts.runID == w.runID,
		DataIntact: w.heartbeat.arrived(stored),
	}
	w.runID = facts.runID
	w.warnOf(facts)
	return arrival, nil
}

// nodes are the servers that the connection reaches.
func (f *conn) nodes() []rueidis.Client {
	if !f.cluster {
		return []rueidis.Client{f.client}
	}
	var nodes []rueidis.Client
	for _, node := range f.client.Nodes() {
		nodes = append(nodes, node)
	}
	return nodes
}

// mayRunScripts is an error when the user lacks the right to what all scripts need. Without scripts it asks nothing.
func (w *watch) mayRunScripts(ctx context.Context) error {
	if w.conn.loaded == 0 {
		return nil
	}
	call := Call{Script: rightsScript, Keys: []string{w.heartbeat.key}}
	err := w.conn.client.Do(ctx, call.bySHA(w.conn.client.B())).Error()
	if code(err) == noScript {
		err = w.conn.client.Do(ctx, call.bySource(w.conn.client.B())).Error()
	}
	if denied(err) {
		return fmt.Errorf("%w: %w", ErrNoRight, err)
	}
	return err
}

// loadScripts loads those that this connection has not been sent. That a server refuses one is no matter:
// mayRunScripts will say why.
func (w *watch) loadScripts(ctx context.Context) error {
	w.link.mu.Lock()
	scripts := w.link.scripts[min(w.conn.loaded, len(w.link.scripts)):]
	w.link.mu.Unlock()
	if len(scripts) == 0 {
		return nil
	}
	for _, node := range w.conn.nodes() {
		loads := make([]rueidis.Completed, len(scripts))
		for i, s := range scripts {
			loads[i] = node.B().ScriptLoad().Script(s.source).Build()
		}
		for _, result := range node.DoMulti(ctx, loads...) {
			if err := result.NonRedisError(); err != nil && !w.conn.cluster {
				return err
			}
		}
	}
	w.conn.loaded += len(scripts)
	return nil
}

// facts are what INFO tells us.
type facts struct {
	runID  string // of all nodes, sorted and joined
	policy string // an evicting maxmemory_policy of a server that has a maxmemory
	denied error
}

func (w *watch) inquire(ctx context.Context) (facts, error) {
	var all facts
	var runs []string
	for _, node := range w.conn.nodes() {
		for _, section := range []string{"server", "memory"} {
			text, err := node.Do(ctx, node.B().Info().Section(section).Build()).ToString()
			switch {
			case code(err) == "NOPERM":
				all.denied = err
				continue
			case err != nil && code(err) == "" && w.conn.cluster:
				continue // a replica that is down; the probe decides about those that own slots
			case err != nil:
				return facts{}, err
			}
			info := parseInfo(text)
			if id := info["run_id"]; id != "" {
				runs = append(runs, id)
			}
			if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" && info["maxmemory"] != "0" {
				all.policy = policy
			}
			if info["redis_mode"] == "cluster" && !w.conn.cluster {
				return facts{}, errIsCluster
			}
		}
	}
	slices.Sort(runs)
	all.runID = strings.Join(runs, ",")
	return all, nil
}

func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// warnOf tells what is new since the last arrival.
func (w *watch) warnOf(now facts) {
	if now.denied != nil && !w.warned.denied {
		w.link.warn(Warning{Kind: NoInfo, Err: now.denied})
	}
	if now.policy != "" && now.policy != w.warned.policy {
		w.link.warn(Warning{Kind: Evicting, Detail: now.policy})
	}
	w.warned.denied, w.warned.policy = now.denied != nil, now.policy
}

// number reads a beat. No beat, and what is not a number, is 0.
func number(result rueidis.RedisResult) (int64, error) {
	text, err := result.ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // Somebody else's value under our key: as good as none.
	}
	return n, nil
}
