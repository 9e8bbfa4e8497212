package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// about is what the document says first.
const about = `The records of an organization, their deletions and their Trash.

Requests are read strictly: unknown, repeated and differently cased members and parameters are refused, and so is text that is not Unicode.
Problems are documents of RFC 9457 whose type is a page about the code; they never repeat what was sent.

**Organization.** A person of several organizations chooses one by the header Gatehouse-Organization. Ids of other organizations do not exist.

**Lists** are the newest first. page counts and goes up to the first 10,000 rows; nextCursor goes on from any page, for ever.

**Versions.** Answers about one row have an ETag. A change with If-Match is made only if the row is still of that version. Answers are never to be stored.

**Idempotency-Key.** A POST with one is done once in 24 hours; the same request again gets what it has made, rendered again, with Idempotency-Replayed: true.`

// newDocument returns the document without its paths.
func newDocument() *huma.OpenAPI {
	schemas := huma.NewMapRegistry(schemaPrefix, schemaName)
	d := &huma.OpenAPI{
		OpenAPI:    "3.1.0",
		Info:       &huma.Info{Title: "Gatehouse backend", Version: "1", Description: about, License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
		Components: &huma.Components{Schemas: schemas, SecuritySchemes: map[string]*huma.SecurityScheme{}},
		Servers:    []*huma.Server{{URL: "/"}},
	}
	d.Components.SecuritySchemes["session"] = &huma.SecurityScheme{
		Type: "apiKey", In: "cookie", Name: "__Host-sid", Description: "The session at the edge, which signs people in.",
	}
	d.Security = []map[string][]string{{"session": {}}}
	for _, e := range store.Entities {
		maps.Copy(schemas.Map(), schemasOf(e))
	}
	for _, body := range []any{problem{}, pagination{}} {
		schemas.Schema(reflect.TypeOf(body), true, "")
	}
	return d
}

// schemaName names the schema of a type: Deletion of deletionBody.
func schemaName(t reflect.Type, hint string) string {
	return huma.DefaultSchemaNamer(t, hint)[:len(strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Body"))]
}

// describe adds an operation to the document.
func (a *api) describe(op *operation) {
	described := &huma.Operation{
		OperationID: op.name, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary, Description: op.description,
		Responses: map[string]*huma.Response{},
	}
	if strings.Contains(op.path, "{id}") {
		described.Parameters = append(described.Parameters, &huma.Param{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(maxID)}})
	}
	described.Parameters = append(described.Parameters, op.query...)
	described.Parameters = append(described.Parameters, headers(op)...)
	if op.body != nil {
		media := map[string]*huma.MediaType{"application/json": {Schema: op.body.schema}}
		if op.body.patch {
			media["application/merge-patch+json"] = &huma.MediaType{Schema: op.body.schema}
		}
		op.body.schema.PrecomputeMessages()
		described.RequestBody = &huma.RequestBody{Required: !op.body.optional, Content: media}
	}
	described.Responses[strconv.Itoa(op.good())] = goodResponse(op)
	for _, status := range op.refusals() {
		described.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + problemName(status)}
	}
	if len(op.problems) > 0 {
		described.Description = strings.TrimSpace(described.Description + "\n\nProblems of its own: " + strings.Join(op.problems, ", ") + ".")
	}
	if op.public {
		described.Security = []map[string][]string{}
	}
	a.document.AddOperation(described)
}

// parameterHeaders are the headers that operations take, by the name of their component.
var parameterHeaders = map[string]*huma.Param{
	"Organization":   {Name: caller.HeaderOrganization, Description: "The id or the slug of the organization; needed by a person of several."},
	"IfMatch":        {Name: "If-Match", Description: "The ETag that the row must have, or *."},
	"IdempotencyKey": {Name: "Idempotency-Key", Description: "1 to 200 visible ASCII characters; what a request with it does is done once in 24 hours."},
}

func headers(op *operation) []*huma.Param {
	var params []*huma.Param
	for _, taken := range []struct {
		name string
		yes  bool
	}{{"Organization", !op.public}, {"IfMatch", op.versioned}, {"IdempotencyKey", op.keyed}} {
		if taken.yes {
			params = append(params, &huma.Param{Ref: "#/components/parameters/" + taken.name})
		}
	}
	return params
}

// problemName names the problems of a status: NotFound.
func problemName(status int) string { return pascal(http.StatusText(status)) }

func goodResponse(op *operation) *huma.Response {
	response := &huma.Response{Description: http.StatusText(op.good())}
	header := func(name, says string) {
		if response.Headers == nil {
			response.Headers = map[string]*huma.Param{}
		}
		response.Headers[name] = &huma.Header{Description: says, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if op.answers != nil {
		response.Content = map[string]*huma.MediaType{"application/json": {Schema: op.answers}}
	} else {
		response.Content = map[string]*huma.MediaType{op.media(): {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	if op.tagged {
		header("ETag", "The row's version, for If-Match.")
	}
	if op.good() == http.StatusCreated {
		header("Location", "The path of what was created.")
	}
	if op.keyed {
		header("Idempotency-Replayed", "true where the request was done before.")
	}
	return response
}

// good is the status of a good answer.
func (op *operation) good() int {
	if op.status != 0 {
		return op.status
	}
	return http.StatusOK
}

// media is the type of an answer that is no JSON of ours.
func (op *operation) media() string {
	if strings.HasSuffix(op.path, ".json") {
		return "application/vnd.oai.openapi+json"
	}
	if strings.HasSuffix(op.path, ".yaml") {
		return "application/vnd.oai.openapi"
	}
	return "text/html"
}

// refusals are the statuses with which the operation can refuse a request.
func (op *operation) refusals() []int {
	names := slices.Clone(op.problems)
	if op.page == nil {
		names = append(names, "malformed_query", "invalid_parameter", "malformed_body")
	}
	if !op.public {
		names = append(names, "unauthenticated", "no_account", "ambiguous_account", "no_organization", "organization_closed",
			"choose_organization", "not_found", "internal", "unavailable", "identity_unavailable")
	}
	if op.body != nil {
		names = append(names, "body_too_large", "unsupported_media_type", "invalid_body")
	}
	if op.versioned || op.keyed {
		names = append(names, "malformed_header")
	}
	if op.keyed {
		names = append(names, "idempotency_key_reused")
	}
	if op.method != http.MethodGet {
		names = append(names, "cross_site")
	}
	var statuses []int
	for _, c := range codes {
		if slices.Contains(names, c.name) && !slices.Contains(statuses, c.status) {
			statuses = append(statuses, c.status)
		}
	}
	return statuses
}

// finish makes the document whole when all operations are in it.
func finish(d *huma.OpenAPI) {
	schemas := d.Components.Schemas.Map()
	detail, deletion := schemas["DeletionDetail"], schemas["Deletion"]
	maps.Copy(detail.Properties, deletion.Properties) // Huma does not look into what is embedded
	detail.Required = append(detail.Required, deletion.Required...)
	for name, member := range map[string]string{"Deletion": "purgeAfter", "DeletionDetail": "purgeAfter", "Event": "actor", "SignedIn": "organization"} {
		schemas[name].Properties[member] = orNull(schemas[name].Properties[member])
	}
	var all []any
	d.Components.Responses = map[string]*huma.Response{}
	for _, c := range codes {
		all = append(all, c.name)
		response := d.Components.Responses[problemName(c.status)]
		if response == nil {
			response = &huma.Response{Content: map[string]*huma.MediaType{"application/problem+json": {Schema: ref("Problem")}}}
			d.Components.Responses[problemName(c.status)] = response
		}
		response.Description = strings.TrimPrefix(response.Description+"; ", "; ") + c.name + ": " + c.title
	}
	d.Components.Parameters = map[string]*huma.Param{}
	for name, header := range parameterHeaders {
		header := *header
		header.In, header.Schema = "header", &huma.Schema{Type: huma.TypeString}
		d.Components.Parameters[name] = &header
	}
	schemas["Problem"].Properties["code"].Enum = all
	for _, schema := range schemas {
		for _, member := range schema.Properties {
			if member.Type == huma.TypeArray {
				member.Nullable = false // no list of ours is null
			}
		}
		schema.PrecomputeMessages()
	}
	for _, e := range store.Entities {
		d.Tags = append(d.Tags, &huma.Tag{Name: e.Plural})
	}
	for _, name := range []string{"Trash", "You", "Operation"} {
		d.Tags = append(d.Tags, &huma.Tag{Name: name})
	}
}

// documentOperations serve the document and the pages about problems.
func (a *api) documentOperations() []*operation {
	return []*operation{
		{
			method: http.MethodGet, path: "/openapi.json", name: "getOpenAPI", tag: "Operation", public: true,
			summary: "This document", page: a.serveDocument("application/vnd.oai.openapi+json", documentJSON),
		},
		{
			method: http.MethodGet, path: "/openapi.yaml", name: "getOpenAPIAsYAML", tag: "Operation", public: true,
			summary: "This document, as YAML", page: a.serveDocument("application/vnd.oai.openapi", (*huma.OpenAPI).YAML),
		},
		{
			method: http.MethodGet, path: "/problems/{id}", name: "getProblem", tag: "Operation", public: true,
			summary: "A page about a code of problems", problems: []string{"not_found"},
			page: a.serveProblemPage,
		},
	}
}

// documentJSON is the document as it is served and checked in.
func documentJSON(d *huma.OpenAPI) ([]byte, error) {
	var indented bytes.Buffer
	compact, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}
