package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

const uuidText = "0193a000-0000-7000-8000-000000000001"

func TestRead_refusesWhatIsNotDeclared(t *testing.T) {
	long := strings.Repeat("x", 501)
	f := newFixture(t)
	for _, tt := range []struct {
		name, method, target, body string
		headers                    []string
		code, parts                string
	}{
		// The query.
		{name: "unknown parameter", target: "/api/clients?colour=red", code: "invalid_parameter", parts: "query unknown"},
		{name: "several unknown ones", target: "/api/clients?a=1&b=2", code: "invalid_parameter", parts: "query unknown"},
		{name: "wrong case", target: "/api/clients?Limit=1", code: "invalid_parameter", parts: "query unknown"},
		{name: "twice", target: "/api/clients?limit=1&limit=1", code: "invalid_parameter", parts: "query.limit repeated"},
		{name: "twice empty", target: "/api/clients?search=&search=", code: "invalid_parameter", parts: "query.search repeated"},
		{name: "limit too large", target: "/api/clients?limit=201", code: "invalid_parameter", parts: "query.limit out_of_range"},
		{name: "limit of nothing", target: "/api/clients?limit=0", code: "invalid_parameter", parts: "query.limit out_of_range"},
		{name: "limit signed", target: "/api/clients?limit=%2B5", code: "invalid_parameter", parts: "query.limit type"},
		{name: "limit no number", target: "/api/clients?limit=5x", code: "invalid_parameter", parts: "query.limit type"},
		{name: "page before the first", target: "/api/clients?page=0", code: "invalid_parameter", parts: "query.page out_of_range"},
		{name: "filter not of the enum", target: "/api/deals?stage=sold", code: "invalid_parameter", parts: "query.stage out_of_range"},
		{name: "filter of a boolean", target: "/api/roles?isDefault=yes", code: "invalid_parameter", parts: "query.isDefault type"},
		{name: "filter by what is no filter", target: "/api/clients?notes=x", code: "invalid_parameter", parts: "query unknown"},
		{name: "filter by a secret", target: "/api/invitations?token=x", code: "invalid_parameter", parts: "query unknown"},
		{name: "NUL", target: "/api/clients?search=%00", code: "invalid_parameter", parts: "query.search unicode"},
		{name: "not UTF-8", target: "/api/clients?search=%ff", code: "invalid_parameter", parts: "query.search unicode"},
		{name: "bad percent", target: "/api/clients?search=%zz", code: "malformed_query"},
		{name: "semicolon", target: "/api/clients?search=a;limit=2", code: "malformed_query"},
		{name: "kind of the trash", target: "/api/trash?kind=users", code: "invalid_parameter", parts: "query.kind out_of_range"},
		{name: "parameter of a write", method: "POST", target: "/api/clients?x=1", body: `{"name":"A"}`, code: "invalid_parameter", parts: "query unknown"},
		{name: "parameter of health", target: "/health?x=1", code: "invalid_parameter", parts: "query unknown"},

		// Headers.
		{name: "If-Match bare", method: "PATCH", target: "/api/clients/c1", body: `{}`, headers: []string{"If-Match", "7"}, code: "malformed_header", parts: "header.If-Match type"},
		{name: "If-Match open", method: "PATCH", target: "/api/clients/c1", body: `{}`, headers: []string{"If-Match", `"7`}, code: "malformed_header", parts: "header.If-Match type"},
		{name: "If-Match list", method: "PATCH", target: "/api/clients/c1", body: `{}`, headers: []string{"If-Match", `"7", "8"`}, code: "malformed_header", parts: "header.If-Match type"},
		{name: "If-Match twice", method: "DELETE", target: "/api/clients/c1", headers: []string{"If-Match", `"7"`, "If-Match", `"7"`}, code: "malformed_header", parts: "header.If-Match type"},
		{name: "If-Match where there is no version", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"If-Match", `"7"`}, code: "malformed_header", parts: "header.If-Match type"},
		{name: "key with a space", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Idempotency-Key", "a b"}, code: "malformed_header", parts: "header.Idempotency-Key type"},
		{name: "key empty", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Idempotency-Key", ""}, code: "malformed_header", parts: "header.Idempotency-Key type"},
		{name: "key too long", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Idempotency-Key", strings.Repeat("k", 201)}, code: "malformed_header", parts: "header.Idempotency-Key type"},
		{name: "key twice", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Idempotency-Key", "a", "Idempotency-Key", "a"}, code: "malformed_header", parts: "header.Idempotency-Key type"},
		{name: "another site", method: "DELETE", target: "/api/clients/c1", headers: []string{"Sec-Fetch-Site", "cross-site"}, code: "cross_site"},
		{name: "another site's origin", method: "DELETE", target: "/api/clients/c1", headers: []string{"Origin", "https://evil.example"}, code: "cross_site"},

		// The form of the body.
		{name: "form", method: "POST", target: "/api/clients", body: `name=A`, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, code: "unsupported_media_type"},
		{name: "plain text", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Type", "text/plain"}, code: "unsupported_media_type"},
		{name: "other charset", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Type", "application/json; charset=latin1"}, code: "unsupported_media_type"},
		{name: "two types", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Type", "application/json", "Content-Type", "text/plain"}, code: "unsupported_media_type"},
		{name: "merge patch to create", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Type", "application/merge-patch+json"}, code: "unsupported_media_type"},
		{name: "encoded", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Encoding", "gzip"}, code: "unsupported_media_type"},
		{name: "no body", method: "POST", target: "/api/clients", code: "unsupported_media_type"},
		{name: "too large", method: "POST", target: "/api/clients", body: `{"name":"` + strings.Repeat("x", maxBody) + `"}`, code: "body_too_large"},
		{name: "body of a GET", target: "/api/clients", body: `{}`, code: "malformed_body", parts: "body unexpected"},
		{name: "no JSON", method: "POST", target: "/api/clients", body: `{"name":}`, code: "malformed_body", parts: "body syntax"},
		{name: "no object", method: "POST", target: "/api/clients", body: `["name"]`, code: "malformed_body", parts: "body syntax"},
		{name: "null", method: "POST", target: "/api/clients", body: `null`, code: "malformed_body", parts: "body syntax"},
		{name: "text behind", method: "POST", target: "/api/clients", body: `{"name":"A"} {}`, code: "malformed_body", parts: "body syntax"},
		{name: "member twice", method: "POST", target: "/api/clients", body: `{"name":"A","name":"B"}`, code: "malformed_body", parts: "body repeated"},
		{name: "member twice, escaped", method: "POST", target: "/api/clients", body: `{"name":"A","\u006eame":"B"}`, code: "malformed_body", parts: "body repeated"},
		{name: "member twice, deep", method: "POST", target: "/api/proposals", body: `{"name":"A","content":{"a":[{"b":1,"b":2}]}}`, code: "malformed_body", parts: "body repeated"},
		{name: "body not UTF-8", method: "POST", target: "/api/clients", body: "{\"name\":\"\xff\"}", code: "malformed_body", parts: "body unicode"},
		{name: "half a pair", method: "POST", target: "/api/clients", body: `{"name":"\ud83d"}`, code: "malformed_body", parts: "body unicode"},
		{name: "second half alone", method: "POST", target: "/api/clients", body: `{"name":"\ude00"}`, code: "malformed_body", parts: "body unicode"},
		{name: "half a pair, then text", method: "POST", target: "/api/clients", body: `{"name":"\ud83dx"}`, code: "malformed_body", parts: "body unicode"},
		{name: "NUL in a text", method: "POST", target: "/api/clients", body: `{"name":"a\u0000b"}`, code: "malformed_body", parts: "body unicode"},
		{name: "NUL in a name", method: "POST", target: "/api/clients", body: `{"a\u0000b":1}`, code: "malformed_body", parts: "body unicode"},
		{name: "too deep", method: "POST", target: "/api/proposals", body: `{"name":"A","content":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, code: "malformed_body", parts: "body too_deep"},
		{name: "number too long", method: "POST", target: "/api/proposals", body: `{"name":"A","content":` + strings.Repeat("1", 65) + `}`, code: "malformed_body", parts: "body out_of_range"},
		{name: "exponent too large", method: "POST", target: "/api/proposals", body: `{"name":"A","content":1e301}`, code: "malformed_body", parts: "body out_of_range"},

		// Members.
		{name: "required", method: "POST", target: "/api/contacts", body: `{}`, code: "invalid_body", parts: "body.firstName required, body.lastName required"},
		{name: "unknown member", method: "POST", target: "/api/clients", body: `{"name":"A","colour":"red","size":1}`, code: "invalid_body", parts: "body unknown"},
		{name: "member of the wrong case", method: "POST", target: "/api/clients", body: `{"Name":"A"}`, code: "invalid_body", parts: "body unknown, body.name required"},
		{name: "column's name", method: "POST", target: "/api/contacts", body: `{"first_name":"A","firstName":"A","lastName":"B"}`, code: "invalid_body", parts: "body unknown"},
		{name: "organization", method: "POST", target: "/api/clients", body: `{"name":"A","organizationId":"o2"}`, code: "invalid_body", parts: "body.organizationId read_only"},
		{name: "what the database sets", method: "PATCH", target: "/api/clients/c1", body: `{"id":"x","version":1,"createdBy":"u","createdAt":"2020-01-01T00:00:00Z"}`, code: "invalid_body", parts: "body.createdAt read_only, body.createdBy read_only, body.id read_only, body.version read_only"},
		{name: "what deletes", method: "PATCH", target: "/api/clients/c1", body: `{"deletedAt":null}`, code: "invalid_body", parts: "body unknown"},
		{name: "secret", method: "PATCH", target: "/api/invitations/i1", body: `{"token":"x"}`, code: "invalid_body", parts: "body unknown"},
		{name: "wrong type", method: "POST", target: "/api/clients", body: `{"name":1}`, code: "invalid_body", parts: "body.name type"},
		{name: "too long", method: "POST", target: "/api/clients", body: `{"name":"` + strings.Repeat("ä", 256) + `"}`, code: "invalid_body", parts: "body.name too_long"},
		{name: "enum", method: "PATCH", target: "/api/deals/d1", body: `{"stage":"Won"}`, code: "invalid_body", parts: "body.stage enum"},
		{name: "null where there is none", method: "PATCH", target: "/api/deals/d1", body: `{"stage":null}`, code: "invalid_body", parts: "body.stage null"},
		{name: "reason too long", method: "DELETE", target: "/api/clients/c1", body: `{"reason":"` + long + `"}`, code: "invalid_body", parts: "body.reason type"},
		{name: "reason of another type", method: "DELETE", target: "/api/clients/c1", body: `{"reason":{}}`, code: "invalid_body", parts: "body.reason type"},
		{name: "more than a reason", method: "DELETE", target: "/api/clients/c1", body: `{"reason":"x","force":true}`, code: "invalid_body", parts: "body unknown"},
		{name: "restore with a member", method: "POST", target: "/api/contacts/k1/restore", body: `{"acceptGaps":true}`, code: "invalid_body", parts: "body unknown"},
		{name: "gaps that are no boolean", method: "POST", target: "/api/deletions/" + uuidText + "/restore", body: `{"acceptGaps":"true"}`, code: "invalid_body", parts: "body.acceptGaps type"},
		{name: "no deletions", method: "POST", target: "/api/trash/restore", body: `{}`, code: "invalid_body", parts: "body.deletionIds required"},
		{name: "objects for deletions", method: "POST", target: "/api/trash/restore", body: `{"deletionIds":[{},{}]}`, code: "invalid_body", parts: "body.deletionIds type"},
		{name: "too many deletions", method: "POST", target: "/api/trash/restore", body: `{"deletionIds":[` + strings.Repeat(`"`+uuidText+`",`, 100) + `"` + uuidText + `"]}`, code: "invalid_body", parts: "body.deletionIds type"},

		// Paths.
		{name: "unknown path", target: "/api/users", code: "not_found"},
		{name: "slash at the end", target: "/api/clients/", code: "not_found"},
		{name: "two slashes", target: "/api//clients", code: "not_found"},
		{name: "dots", target: "/api/x/../clients", code: "not_found"},
		{name: "encoded segment", target: "/api/%63lients", code: "not_found"},
		{name: "wrong case of the kind", target: "/api/Clients", code: "not_found"},
		{name: "id with NUL", target: "/api/clients/a%00b", code: "not_found"},
		{name: "id not UTF-8", target: "/api/clients/%ff", code: "not_found"},
		{name: "id too long", target: "/api/clients/" + strings.Repeat("x", 256), code: "not_found"},
		{name: "for good", method: "DELETE", target: "/api/clients/c1/permanent", code: "not_found"},
		{name: "unknown problem", target: "/problems/nonsense", code: "not_found"},
		{name: "method", method: "DELETE", target: "/api/clients", code: "method_not_allowed"},
		{name: "create an organization", method: "POST", target: "/api/organizations", body: `{"name":"A","slug":"a"}`, code: "method_not_allowed"},
		{name: "a word for a method", method: "FROB", target: "/api/clients", code: "method_not_allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.db.reached = 0
			method := tt.method
			if method == "" {
				method = http.MethodGet
			}
			p := problemIn(t, f.ask(t, method, tt.target, tt.body, tt.headers...))
			if p.Code != tt.code || p.parts() != tt.parts {
				t.Errorf("got %s (%s), want %s (%s)", p.Code, p.parts(), tt.code, tt.parts)
			}
			if f.db.reached != 0 {
				t.Error("it was passed on")
			}
		})
	}
}

func TestRead_letsGoodRequestsPass(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name, method, target, body string
		headers                    []string
	}{
		{name: "list", target: "/api/clients"},
		{name: "list with all", target: "/api/clients?search=a&limit=200&page=2&industry=x&country=y"},
		{name: "list with what a form did not fill in", target: "/api/clients?search=&limit=&cursor=&page="},
		{name: "filter", target: "/api/roles?isDefault=true"},
		{name: "text that is Unicode", target: "/api/clients?search=%F0%9F%98%80"},
		{name: "id with a slash", target: "/api/clients/a%2Fb"},
		{name: "id called as a path", target: "/api/clients/restore"},
		{name: "create", method: "POST", target: "/api/clients", body: `{"name":"\ud83d\ude00","notes":null}`},
		{name: "create with a charset", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Content-Type", "application/json; charset=UTF-8"}},
		{name: "create from a page of ours", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Sec-Fetch-Site", "same-origin"}},
		{name: "create once", method: "POST", target: "/api/clients", body: `{"name":"A"}`, headers: []string{"Idempotency-Key", "0193a-!~"}},
		{name: "merge patch", method: "PATCH", target: "/api/clients/c1", body: `{"notes":null}`, headers: []string{"Content-Type", "application/merge-patch+json", "If-Match", `"7"`}},
		{name: "put", method: "PUT", target: "/api/clients/c1", body: `{}`, headers: []string{"If-Match", "*"}},
		{name: "another's tag", method: "PUT", target: "/api/clients/c1", body: `{}`, headers: []string{"If-Match", `"abc"`}},
		{name: "delete", method: "DELETE", target: "/api/clients/c1"},
		{name: "delete with a reason", method: "DELETE", target: "/api/clients/c1", body: `{"reason":"twice"}`},
		{name: "restore", method: "POST", target: "/api/contacts/k1/restore"},
		{name: "restore with nothing in it", method: "POST", target: "/api/contacts/k1/restore", body: `{}`},
		{name: "restore a deletion", method: "POST", target: "/api/deletions/" + uuidText + "/restore", body: `{"acceptGaps":true}`},
		{name: "restore several", method: "POST", target: "/api/trash/restore", body: `{"deletionIds":["` + uuidText + `"]}`},
		{name: "trash", target: "/api/trash?kind=clients&deletedBy=u1&search=&limit=50&cursor="},
		{name: "read without a body, with If-Match", target: "/api/clients/c1", headers: []string{"If-Match", "what?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.db.reached = 0
			method := tt.method
			if method == "" {
				method = http.MethodGet
			}
			w := f.ask(t, method, tt.target, tt.body, tt.headers...)
			if f.db.reached == 0 {
				t.Errorf("refused: %d %s", w.Code, w.Body)
			}
			if p := problemIn(t, w); p.Code != "unavailable" || w.Header().Get("Retry-After") == "" {
				t.Errorf("a database that does not answer is told by %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestPrecondition(t *testing.T) {
	for give, want := range map[string]int64{
		`"7"`: 7, `*`: 0, ` "7" `: 7, `W/"7"`: noVersion, `"07"`: noVersion, `"0"`: noVersion, `"-1"`: noVersion, `"+7"`: noVersion,
		`"abc"`: noVersion, `""`: noVersion, `"9223372036854775808"`: noVersion,
	} {
		got, ok := precondition([]string{give})
		if !ok || got != want {
			t.Errorf("precondition(%s) = %d, %v, want %d", give, got, ok, want)
		}
	}
}

func TestServeHTTP_methods(t *testing.T) {
	f := newFixture(t)
	w := f.ask(t, http.MethodOptions, "/api/clients/c1", "")
	if got := w.Header().Get("Allow"); w.Code != http.StatusNoContent || got != "DELETE, GET, HEAD, OPTIONS, PATCH, PUT" {
		t.Errorf("OPTIONS answers %d, Allow: %s", w.Code, got)
	}
	w = f.ask(t, http.MethodPut, "/api/trash", "")
	if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != "GET, HEAD, OPTIONS" {
		t.Errorf("PUT answers %d, Allow: %s", w.Code, got)
	}
	for _, path := range []string{"/health", "/openapi.json", "/problems/not_found", "/api/clients"} {
		get, head := f.ask(t, http.MethodGet, path, ""), f.ask(t, http.MethodHead, path, "")
		if head.Code != get.Code || head.Header().Get("Content-Type") != get.Header().Get("Content-Type") {
			t.Errorf("HEAD %s answers %d %s, GET %d %s", path, head.Code, head.Header(), get.Code, get.Header())
		}
		if head.Body.Len() != 0 {
			t.Errorf("HEAD %s has a body", path)
		}
	}
}

func TestServeHTTP_knowsNobodyWithoutACaller(t *testing.T) {
	f := newFixture(t)
	open := map[string]bool{"/health": true, "/api/health": true, "/ready": true, "/openapi.json": true, "/openapi.yaml": true, "/problems/{id}": true}
	for _, op := range f.operations {
		if open[op.path] != op.public {
			t.Errorf("%s is public: %v", op.route(), op.public)
		}
		if op.public {
			continue
		}
		w := plain(t, f.api, op.method, strings.ReplaceAll(op.path, "{id}", "x"))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s answers %d to nobody", op.route(), w.Code)
		}
	}
	if w := plain(t, f.api, http.MethodGet, "/api/nothing"); w.Code != http.StatusUnauthorized {
		t.Errorf("what is not there answers %d to nobody", w.Code)
	}
	if f.db.reached != 0 {
		t.Error("the database was asked")
	}
}
