package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// unreachable are transactions that fail, and remember that they were wanted.
type unreachable struct {
	err     error
	reached int
}

func (u *unreachable) Do(context.Context, store.Request, func(context.Context, *softdelete.Tx) error) error {
	u.reached++
	return u.err
}

func (u *unreachable) Read(context.Context, store.Request, func(context.Context, *softdelete.Tx) error) error {
	u.reached++
	return u.err
}

func (u *unreachable) Memberships(context.Context, store.Person) ([]store.Membership, error) {
	u.reached++
	return nil, u.err
}

func (u *unreachable) Ping(context.Context) error { return u.err }

// fixture is the handler without a database.
type fixture struct {
	*api
	db *unreachable
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{api: build(Options{}), db: &unreachable{err: store.ErrUnavailable}}
	f.store = f.db
	return f
}

// ask sends a request of Ann's.
func (f *fixture) ask(t *testing.T, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return askAs(t, f.api, method, target, body, headers...)
}

func askAs(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Content-Type" && r.Header.Get("Content-Type") == "application/json" {
			r.Header.Del("Content-Type")
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	caller.Log(caller.LogOptions{Logger: zap.NewNop()})(signed(h)).ServeHTTP(w, r)
	return w
}

// problemIn reads a problem document, and fails when the answer is none of our form.
func problemIn(t *testing.T, w *httptest.ResponseRecorder) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the answer of %d is no problem document: %v\n%s", w.Code, err, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if p.Status != w.Code || p.Type != "/problems/"+p.Code || p.Title == "" || p.RequestID == "" {
		t.Errorf("incomplete problem of status %d: %s", w.Code, w.Body)
	}
	return p
}

// parts are the problem's, as "location code".
func (p *problem) parts() string {
	var all []string
	for _, part := range p.Errors {
		all = append(all, part.Location+" "+part.Code)
	}
	return strings.Join(all, ", ")
}

// plain sends a request of nobody's.
func plain(t *testing.T, h http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	caller.Log(caller.LogOptions{Logger: zap.NewNop()})(h).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// signed says that Ann is asking.
func signed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(caller.NewContext(r.Context(), caller.Caller{
			Person: store.Person{Issuer: "https://idp", Subject: "ann"}, RequestID: caller.RequestID(r.Context()),
		})))
	})
}
