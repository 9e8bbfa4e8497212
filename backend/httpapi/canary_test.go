package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// canary is text that no answer and no log may have in it, in any case.
const canary = "kAnArY7f3a"

// TestServeHTTP_echoesNothing puts a canary into every position of requests of every operation.
func TestServeHTTP_echoesNothing(t *testing.T) {
	f := newFixture(t)
	core, logs := observer.New(zapcore.DebugLevel)
	f.logger = zap.New(core)
	requests := 0
	try := func(position string, r *http.Request) {
		t.Helper()
		requests++
		w := httptest.NewRecorder()
		caller.Log(caller.LogOptions{Logger: zap.New(core)})(signed(f.api)).ServeHTTP(w, r)
		for name, values := range w.Header() {
			if strings.Contains(strings.ToLower(name+strings.Join(values, "")), strings.ToLower(canary)) {
				t.Errorf("%s %s, canary in the %s: header %s answers it", r.Method, r.URL.Path, position, name)
			}
		}
		if strings.Contains(strings.ToLower(w.Body.String()), strings.ToLower(canary)) {
			t.Errorf("%s %s, canary in the %s: answered\n%s", r.Method, r.URL.Path, position, w.Body)
		}
	}
	for _, op := range f.operations {
		path := strings.ReplaceAll(op.path, "{id}", "x1")
		body := ""
		if op.body != nil {
			body = "{}"
		}
		request := func(target, body string) *http.Request {
			r := httptest.NewRequest(op.method, target, strings.NewReader(body))
			if body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			return r
		}
		try("path", request(strings.ReplaceAll(op.path, "{id}", canary), body))
		try("path", request(path+"/"+canary, body))
		try("path", request(path+"%ff"+canary, body))
		try("query name", request(path+"?"+canary+"=1", body))
		try("query name", request(path+"?"+canary, body))
		try("query name", request(path+"?"+canary+";=%zz", body))
		for _, p := range op.query {
			try("query value", request(path+"?"+p.Name+"="+canary, body))
			try("query value", request(path+"?"+p.Name+"="+canary+"&"+p.Name+"="+canary, body))
			try("query value", request(path+"?"+p.Name+"=%00"+canary, body))
			try("query value", request(path+"?"+p.Name+"="+strings.Repeat(canary, 300), body))
		}
		for _, name := range []string{"If-Match", "Idempotency-Key", caller.HeaderOrganization, "Content-Type", "Content-Encoding", "Accept", "Cookie", "Origin", "Sec-Fetch-Site", "X-Request-Id", canary} {
			r := request(path, body)
			r.Header.Set(name, canary+" /;,"+canary)
			try("header", r)
		}
		for _, body := range bodiesWithCanary(op) {
			try("body", request(path, body))
		}
		r := request(path, body)
		r.Method = canary
		try("method", r)
	}
	if requests < 5000 {
		t.Errorf("only %d requests", requests)
	}
	for _, entry := range logs.All() {
		encoder := zapcore.NewMapObjectEncoder()
		for _, field := range entry.Context {
			field.AddTo(encoder)
		}
		for name, value := range encoder.Fields {
			if text, ok := value.(string); ok && strings.Contains(strings.ToLower(name+text), strings.ToLower(canary)) {
				t.Fatalf("%q is logged with %s=%q", entry.Message, name, text)
			}
		}
	}
}

// bodiesWithCanary are bodies that hold a canary wherever one can be.
func bodiesWithCanary(op *operation) []string {
	bodies := []string{
		canary, `"` + canary + `"`, `{"` + canary + `":1}`, `{"` + canary + `":{"` + canary + `":1,"` + canary + `":2}}`,
		`{"a":"` + canary + `"`, `{"a":1}` + canary, "{\"" + canary + "\xff\":1}", `{"` + canary + `\u0000":1}`, `{"` + canary + `":"\ud800"}`,
	}
	if op.body == nil {
		return bodies
	}
	names := []string{"id", "version", "organizationId", "reason", "deletionIds", "acceptGaps"}
	if op.body.entity != nil {
		for _, f := range op.body.entity.Fields {
			names = append(names, f.Name, strings.ToUpper(f.Name))
		}
	}
	for _, name := range names {
		for _, value := range []string{`"` + canary + `"`, `["` + canary + `"]`, `{"` + canary + `":"` + canary + `"}`, `"` + strings.Repeat(canary, 100) + `"`} {
			bodies = append(bodies, `{"`+name+`":`+value+`}`)
		}
	}
	return bodies
}

// TestExplain_tellsOnlyWhatIsOurs lets the layers below fail with a canary in their errors.
func TestExplain_tellsOnlyWhatIsOurs(t *testing.T) {
	f := newFixture(t)
	core, logs := observer.New(zapcore.DebugLevel)
	f.logger = zap.New(core)
	f.db.err = fmt.Errorf("read a row: %w", &canaryError{})
	for _, op := range f.operations {
		if op.public {
			continue
		}
		body := ""
		if op.body != nil && !op.body.optional {
			if op.body.entity != nil && !op.body.patch {
				continue
			}
			body = `{}`
		}
		w := f.ask(t, op.method, strings.ReplaceAll(op.path, "{id}", uuidText), body)
		if strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s answers %s", op.route(), w.Body)
		}
	}
	if logs.Len() == 0 {
		t.Error("nothing is logged")
	}
	for _, entry := range logs.All() {
		if told := fmt.Sprint(entry.ContextMap()); strings.Contains(told, canary) || !strings.Contains(told, "read a row: *httpapi.canaryError") {
			t.Errorf("%q is logged with %s", entry.Message, told)
		}
	}
	p := fieldProblem(&softdelete.FieldError{Fields: []softdelete.FieldProblem{{Name: canary, Code: "unknown"}}})
	if strings.Contains(p.parts(), canary) {
		t.Errorf("an unknown member is named: %s", p.parts())
	}
}

type canaryError struct{}

func (*canaryError) Error() string { return "pq: value " + canary }
