package deploy

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// rules are Prometheus's.
type rules struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// strict reads YAML, and takes an unknown member for the mistake that it is.
func strict(t *testing.T, path string, into any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader([]byte(read(t, path))))
	d.KnownFields(true)
	require.NoError(t, d.Decode(into), path)
	require.ErrorIs(t, d.Decode(&struct{}{}), io.EOF, "%s has more than one document", path)
}

func alerts(t *testing.T) (all []rule) {
	t.Helper()
	var r rules
	strict(t, "deploy/prometheus/alerts.yml", &r)
	for _, g := range r.Groups {
		all = append(all, g.Rules...)
	}
	require.Greater(t, len(all), 5, "the search finds too little")
	return all
}

// queries are the dashboard's expressions, by their panel.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	var dashboard struct {
		UID    string
		Panels []struct {
			Title      string
			Datasource struct{ UID string }
			GridPos    struct{ X, Y, W, H int }
			Targets    []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy/grafana/gatehouse.json")), &dashboard))
	found := map[string][]string{}
	for _, p := range dashboard.Panels {
		assert.NotContains(t, found, p.Title, "two panels of one title")
		assert.Contains(t, read(t, "deploy/grafana/datasource.yml"), "uid: "+p.Datasource.UID, p.Title)
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for _, target := range p.Targets {
			found[p.Title] = append(found[p.Title], target.Expr)
		}
	}
	require.Greater(t, len(found), 10, "the search finds too little")
	return found
}

var (
	metricName  = regexp.MustCompile(`\b(?:gatehouse|caddy|process|go)_[a-z_]+`)
	labelNames  = regexp.MustCompile(`\{([^{}]*)\}`)
	labelName   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	histogramOf = regexp.MustCompile(`_(?:bucket|count|sum)$`)
)

// ofCaddy are the metrics of Caddy and of every Go program that are used here.
var ofCaddy = []string{"caddy_http_request_duration_seconds", "process_resident_memory_bytes"}

// A rule on a metric that is not there never fires, and a panel on one is empty: neither is ever noticed.
func TestMetrics_ofRulesAndPanelsAreThere(t *testing.T) {
	t.Parallel()
	expressions := map[string][]string{}
	for _, r := range alerts(t) {
		expressions[r.Alert] = append(expressions[r.Alert], r.Expr)
	}
	for title, q := range queries(t) {
		expressions["panel "+title] = q
	}
	for where, list := range expressions {
		for _, expr := range list {
			for _, name := range metricName.FindAllString(expr, -1) {
				base := histogramOf.ReplaceAllString(name, "")
				if slices.Contains(ofCaddy, base) {
					continue
				}
				assert.True(t, documented(t, name) || documented(t, base), "%s: no directive's page knows %s", where, name)
				assert.True(t, registered(t, name) || registered(t, base), "%s: no source registers %s", where, name)
			}
			for _, labels := range labelNames.FindAllStringSubmatch(expr, -1) {
				for _, m := range labelName.FindAllStringSubmatch(labels[1], -1) {
					assert.True(t, slices.Contains([]string{"job", "code", "instance"}, m[1]) || documentedLabel(t, m[1]), "%s: no metric has the label %s", where, m[1])
				}
			}
		}
	}
}

// What the pages tell of, the programs have.
func TestMetrics_ofPagesAreThere(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range metricPages {
		for _, m := range regexp.MustCompile("(?m)^\\| `(gatehouse_[a-z_]+)").FindAllStringSubmatch(read(t, page), -1) {
			found++
			assert.True(t, registered(t, m[1]), "%s: no source registers %s", page, m[1])
		}
	}
	require.Greater(t, found, 30, "the search finds too little")
}

// registered looks for a metric in the sources: whole, or without the prefix that a package gives all of its own.
func registered(t *testing.T, name string) bool {
	t.Helper()
	for prefix, folder := range map[string]string{
		"gatehouse_redis_": "caddymodules/redisapp", "gatehouse_rate_limit_": "caddymodules/ratelimit",
		"gatehouse_session_": "caddymodules/session", "gatehouse_identity_": "caddymodules/assertidentity",
		"gatehouse_backend_": "backend/cmd/backend",
	} {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			source := read(t, filepath.Join(folder, "metrics.go"))
			return strings.Contains(source, `"`+short+`"`) || strings.Contains(source, `"`+name+`"`)
		}
	}
	return false
}

// metricPages tell of metrics, each in a table.
var metricPages = []string{
	"docs/directives/redis.md", "docs/directives/rate_limit.md", "docs/directives/session.md", "docs/directives/assert_identity.md",
	"docs/operations/watching.md",
}

func documented(t *testing.T, metric string) bool {
	t.Helper()
	for _, page := range metricPages {
		if regexp.MustCompile("(?m)^\\| `" + metric + "[`{]").MatchString(read(t, page)) {
			return true
		}
	}
	return false
}

func documentedLabel(t *testing.T, label string) bool {
	t.Helper()
	for _, page := range metricPages {
		if regexp.MustCompile("(?m)^\\| `gatehouse_[^|]*(?:\\|[^|]*)?\\b" + label + "\\b").MatchString(read(t, page)) {
			return true
		}
	}
	return false
}

// Who is woken reads what to do, and is woken only for what cannot wait.
func TestAlerts_sayWhatToDo(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, r := range alerts(t) {
		assert.False(t, names[r.Alert], "%s twice", r.Alert)
		names[r.Alert] = true
		assert.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
		assert.NotEmpty(t, r.Annotations["action"], r.Alert)
		for _, page := range regexp.MustCompile(`docs/\S+\.md`).FindAllString(r.Annotations["action"], -1) {
			_ = read(t, page)
		}
		assert.Contains(t, read(t, "docs/operations/watching.md"), "`"+r.Alert+"`", "nobody can look it up")
	}
}

// promtool evaluates the rules over the series of alerts_test.yml.
func TestAlerts_fire(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	require.NoError(t, err, "`make deps` installs it")
	cmd := exec.CommandContext(t.Context(), tool, "test", "rules", "alerts_test.yml")
	cmd.Dir = filepath.Join(moduleRoot(t), "deploy/prometheus")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Every target of Prometheus is a container, and listens there.
func TestPrometheus_asksWhoIsThere(t *testing.T) {
	t.Parallel()
	p := project(t)
	targets := regexp.MustCompile(`targets: \[(.*)\]`).FindAllStringSubmatch(read(t, "deploy/prometheus/prometheus.yml"), -1)
	require.Len(t, targets, 2)
	for _, list := range targets {
		for target := range strings.SplitSeq(list[1], ", ") {
			name, port, _ := strings.Cut(target, ":")
			require.Contains(t, p.Services, name)
			shared := false
			for network := range p.Services["prometheus"].Networks {
				_, there := p.Services[name].Networks[network]
				shared = shared || there
			}
			assert.True(t, shared, "prometheus does not reach %s", name)
			if listen := p.Services[name].Environment["BACKEND_METRICS_LISTEN"]; listen != nil {
				assert.Equal(t, "0.0.0.0:"+port, *listen)
			} else {
				assert.Contains(t, read(t, "deploy/compose/edge.caddyfile"), ":"+port)
			}
		}
	}
}
