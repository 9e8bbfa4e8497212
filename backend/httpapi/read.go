package httpapi

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// maxBody is the largest body, in bytes.
const maxBody = 1 << 20

// bodyRule says what a body may be.
type bodyRule struct {
	// schema is the published one, which judges all but rows.
	schema *huma.Schema
	// entity judges a row's members, all of them or those of a patch.
	entity *softdelete.Entity
	patch  bool
	// optional lets a request have no body.
	optional bool
}

// read takes a request apart, and refuses what the operation does not declare.
func (a *api) read(op *operation, r *http.Request, id string) (*call, *problem) {
	c := &call{op: op, request: r, id: id, who: caller.Request(r.Context(), r)}
	for _, step := range []func(*call) *problem{a.readQuery, readHeaders, a.readBody} {
		if p := step(c); p != nil {
			return nil, p
		}
	}
	return c, nil
}

func (a *api) readQuery(c *call) *problem {
	given, err := url.ParseQuery(c.request.URL.RawQuery)
	if err != nil {
		return fail("malformed_query")
	}
	c.query = map[string]any{}
	var parts []problemPart
	for name, values := range given {
		i := slices.IndexFunc(c.op.query, func(p *huma.Param) bool { return p.Name == name })
		switch {
		case i < 0:
			parts = append(parts, at("query", "unknown"))
		case len(values) > 1:
			parts = append(parts, at("query."+name, "repeated"))
		case values[0] == "": // as a form sends what was not filled in
		default:
			if value, reason := a.parameter(c.op.query[i], values[0]); reason != "" {
				parts = append(parts, at("query."+name, reason))
			} else {
				c.query[name] = value
			}
		}
	}
	return failAt("invalid_parameter", parts)
}

// parameter reads a value of the query by its schema.
func (a *api) parameter(p *huma.Param, text string) (value any, reason string) {
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return nil, notUnicode
	}
	switch p.Schema.Type {
	case huma.TypeInteger:
		n, err := strconv.Atoi(text)
		if err != nil || text[0] < '0' || text[0] > '9' {
			return nil, "type"
		}
		value = n
	case huma.TypeBoolean:
		if text != "true" && text != "false" {
			return nil, "type"
		}
		value = text == "true"
	default:
		value = text
	}
	if !a.satisfies(p.Schema, value) {
		return nil, "out_of_range"
	}
	return value, ""
}

// satisfies judges a value by a schema. What Huma says against it may quote it, and is not passed on.
func (a *api) satisfies(schema *huma.Schema, value any) bool {
	result := &huma.ValidateResult{}
	huma.Validate(a.document.Components.Schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, result)
	return len(result.Errors) == 0
}

func readHeaders(c *call) *problem {
	if values := c.request.Header.Values("If-Match"); len(values) > 0 && c.request.Method != http.MethodGet && c.request.Method != http.MethodHead {
		version, ok := precondition(values)
		if !ok || !c.op.versioned {
			return fail("malformed_header", at("header.If-Match", "type"))
		}
		c.version = version
	}
	if values := c.request.Header.Values("Idempotency-Key"); len(values) > 0 && c.op.keyed {
		if len(values) > 1 || !possibleKey(values[0]) {
			return fail("malformed_header", at("header.Idempotency-Key", "type"))
		}
		c.key = values[0]
	}
	return nil
}

// noVersion is a version that no row has: of a tag that is one, and none of ours.
const noVersion = -1

// precondition reads If-Match (RFC 9110 section 13.1.1), of one entity tag. A weak tag never matches.
func precondition(values []string) (version int64, ok bool) {
	if len(values) != 1 {
		return 0, false
	}
	tag := strings.TrimSpace(values[0])
	if tag == "*" {
		return 0, true
	}
	opaque, weak := strings.CutPrefix(tag, "W/")
	if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return 0, false
	}
	opaque = opaque[1 : len(opaque)-1]
	for i := range len(opaque) {
		if c := opaque[i]; c == '"' || c <= ' ' || c == 0x7f {
			return 0, false
		}
	}
	version, err := strconv.ParseInt(opaque, 10, 64)
	if err != nil || weak || strconv.FormatInt(version, 10) != opaque || version < 1 {
		return noVersion, true
	}
	return version, true
}

// maxKey is the longest Idempotency-Key.
const maxKey = 200

func possibleKey(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return false
		}
	}
	return key != "" && len(key) <= maxKey
}

func (a *api) readBody(c *call) *problem {
	raw, p := rawBody(c.request)
	if p != nil {
		return p
	}
	rule := c.op.body
	if len(raw) == 0 && (rule == nil || rule.optional) {
		return nil
	}
	if rule == nil {
		return fail("malformed_body", at("body", "unexpected"))
	}
	if !isJSON(c.request) {
		return fail("unsupported_media_type")
	}
	if c.body, p = readObject(raw); p != nil {
		return p
	}
	if rule.entity != nil {
		return judgeRow(c, rule)
	}
	return a.judge(rule.schema, c.body)
}

// rawBody reads the body, up to the bound.
func rawBody(r *http.Request) ([]byte, *problem) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		return nil, fail("body_too_large")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, fail("body_too_large")
	}
	if err != nil { // it broke off, or is no body of HTTP
		return nil, fail("malformed_body", at("body", notJSON))
	}
	return body, nil
}

// isJSON reports whether the request says that its body is JSON, once, in UTF-8, as it is. A form of
// another site cannot say so.
func isJSON(r *http.Request) bool {
	types := r.Header.Values("Content-Type")
	if len(types) != 1 || len(r.Header.Values("Content-Encoding")) > 0 {
		return false
	}
	name, parameters, err := mime.ParseMediaType(types[0])
	if err != nil {
		return false
	}
	for parameter, value := range parameters {
		if parameter != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	patch := r.Method == http.MethodPatch || r.Method == http.MethodPut
	return name == "application/json" || patch && name == "application/merge-patch+json"
}

// judgeRow judges the members of a row by its declaration.
func judgeRow(c *call, rule *bodyRule) *problem {
	values, err := rule.entity.Check(c.body, !rule.patch)
	c.values = values
	if fields, ok := errors.AsType[*softdelete.FieldError](err); ok {
		return fieldProblem(fields)
	}
	return nil
}

// judge judges a body that is no row by its published schema, member by member: Huma would let null pass
// for a member that may be left out, and names members that are unknown.
func (a *api) judge(schema *huma.Schema, body map[string]any) *problem {
	var parts []problemPart
	for name, value := range body {
		member := schema.Properties[name]
		switch {
		case member == nil:
			parts = append(parts, at("body", "unknown"))
		case !a.satisfies(member, value):
			parts = append(parts, at("body."+name, "type"))
		}
	}
	for _, name := range schema.Required {
		if _, there := body[name]; !there {
			parts = append(parts, at("body."+name, "required"))
		}
	}
	return failAt("invalid_body", parts)
}

// failAt makes a problem of its parts, in an order that does not depend on chance; nil when there are none.
// What says the same twice is said once: one "unknown" stands for all.
func failAt(code string, parts []problemPart) *problem {
	if len(parts) == 0 {
		return nil
	}
	slices.SortFunc(parts, func(a, b problemPart) int {
		return cmp.Or(strings.Compare(a.Location, b.Location), strings.Compare(a.Code, b.Code))
	})
	same := func(a, b problemPart) bool { return a.Location == b.Location && a.Code == b.Code }
	return fail(code, slices.CompactFunc(parts, same)...)
}
