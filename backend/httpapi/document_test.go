package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

var update = flag.Bool("update", false, "write openapi.json anew")

func TestDocument_isTheOneCheckedIn(t *testing.T) {
	got, err := documentJSON(build(Options{}).document)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not what the routes say: go test ./backend/httpapi -run Document -update")
	}
}

func TestDocument_isServed(t *testing.T) {
	f := newFixture(t)
	w := plain(t, f.api, http.MethodGet, "/openapi.json")
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) {
		t.Errorf("GET /openapi.json answers %d, and not the document", w.Code)
	}
	if w := plain(t, f.api, http.MethodGet, "/openapi.yaml"); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "components:") && !strings.Contains(w.Body.String(), "openapi: 3.1.0") {
		t.Errorf("GET /openapi.yaml answers %d\n%.200s", w.Code, w.Body)
	}
}

// TestDocument_refersToWhatIsThere follows every $ref, and looks for what a generator of clients needs.
func TestDocument_refersToWhatIsThere(t *testing.T) {
	raw, err := documentJSON(build(Options{}).document)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	walk(tree, func(at string) {
		used[strings.TrimPrefix(at, schemaPrefix)] = true
		there := tree
		for step := range strings.SplitSeq(strings.TrimPrefix(at, "#/"), "/") {
			object, _ := there.(map[string]any)
			there = object[step]
		}
		if there == nil {
			t.Errorf("%s is not there", at)
		}
	})
	for name := range d.Components.Schemas {
		if !used[name] {
			t.Errorf("nothing uses the schema %s", name)
		}
	}
	seen := map[string]string{}
	for path, item := range d.Paths {
		for method, op := range item {
			if other := seen[op.OperationID]; other != "" || op.OperationID == "" {
				t.Errorf("%s %s is called %q, as is %s", method, path, op.OperationID, other)
			}
			seen[op.OperationID] = method + " " + path
		}
	}
}

func walk(node any, ref func(string)) {
	switch n := node.(type) {
	case map[string]any:
		for name, value := range n {
			if text, ok := value.(string); ok && name == "$ref" {
				ref(text)
			}
			walk(value, ref)
		}
	case []any:
		for _, value := range n {
			walk(value, ref)
		}
	}
}

// TestDocument_agreesWithTheJudge makes bodies, good and bad, and asks both the published schema and the
// entity, which must agree about each.
func TestDocument_agreesWithTheJudge(t *testing.T) {
	a := build(Options{})
	random := rand.New(rand.NewPCG(4, 7))
	texts := []any{nil, "", " ", "lead", "x", strings.Repeat("ä", 100), strings.Repeat("x", 256), "12.50", "-1", "1e5", "12345678901.00",
		"2026-11-24T10:00:00Z", "2026-11-24", true, false, json.Number("1"), json.Number("1.5"), json.Number("3000000000"), map[string]any{"a": "b"}, []any{"a"}}
	good, bad := 0, 0
	for _, e := range store.Entities {
		for range 600 {
			create := !e.Root && random.IntN(2) == 0
			name := namesOf(e).one + "Update"
			if create {
				name = namesOf(e).one + "Create"
			}
			body := map[string]any{}
			for _, f := range e.Fields {
				switch {
				case f.ReadOnly || f.Secret:
				case random.IntN(6) == 0 && !f.Required:
				case random.IntN(12) == 0:
					body[f.Name] = texts[random.IntN(len(texts))]
				case f.Enum != nil:
					body[f.Name] = f.Enum[random.IntN(len(f.Enum))]
				case f.Type == "number":
					body[f.Name] = "12.50"
				case f.Type == "integer":
					body[f.Name] = json.Number("7")
				case f.Type == "boolean":
					body[f.Name] = true
				case f.Type == "timestamp":
					body[f.Name] = "2026-11-24T10:00:00Z"
				default:
					body[f.Name] = "abc"
				}
			}
			_, err := e.Check(body, create)
			allowed := a.judge(a.document.Components.Schemas.SchemaFromRef(schemaPrefix+name), floats(body)) == nil
			if (err == nil) != allowed {
				t.Errorf("%s: the schema allows %v, the entity says %v: %v", name, allowed, err, body)
			}
			if allowed {
				good++
			} else {
				bad++
			}
		}
	}
	if good < 1000 || bad < 1000 {
		t.Errorf("%d good bodies and %d bad ones", good, bad)
	}
}

// floats makes of numbers what Huma judges.
func floats(body map[string]any) map[string]any {
	made := map[string]any{}
	for name, value := range body {
		if n, ok := value.(json.Number); ok {
			value, _ = n.Float64()
		}
		made[name] = value
	}
	return made
}

func TestProblemPages(t *testing.T) {
	f := newFixture(t)
	for _, c := range codes {
		w := plain(t, f.api, http.MethodGet, "/problems/"+c.name)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<code>"+c.name+"</code>") || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("/problems/%s answers %d\n%s", c.name, w.Code, w.Body)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("/problems/%s has no strict policy", c.name)
		}
		if c.title == "" || c.help == "" || http.StatusText(c.status) == "" {
			t.Errorf("the code %s says too little", c.name)
		}
	}
	// What other packages answer has a page too.
	for _, name := range []string{"internal", "unauthenticated", "identity_unavailable"} {
		if w := plain(t, f.api, http.MethodGet, "/problems/"+name); w.Code != http.StatusOK {
			t.Errorf("/problems/%s answers %d", name, w.Code)
		}
	}
}

func TestReady(t *testing.T) {
	f := newFixture(t)
	if p := problemIn(t, plain(t, f.api, http.MethodGet, "/ready")); p.Code != "not_ready" {
		t.Errorf("without a database: %s", p.Code)
	}
	f.db.err = nil
	if w := plain(t, f.api, http.MethodGet, "/ready"); w.Code != http.StatusOK {
		t.Errorf("with one: %d", w.Code)
	}
	stopping := false
	f.stopping = func() bool { return stopping }
	stopping = true
	if p := problemIn(t, plain(t, f.api, http.MethodGet, "/ready")); p.Code != "not_ready" {
		t.Errorf("while stopping: %s", p.Code)
	}
	for _, path := range []string{"/health", "/api/health"} {
		if w := plain(t, f.api, http.MethodGet, path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"ok"`) {
			t.Errorf("%s while stopping: %d %s", path, w.Code, w.Body)
		}
	}
}
