package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// operation is a method of a path: what the document says of it, what its requests may hold, and what
// serves them.
type operation struct {
	method, path string // "/api/clients/{id}"
	name         string // unique, for programs: "listClients"
	summary      string
	description  string
	tag          string

	// query and body are what requests may hold; nothing else may be in them. A nil body is none.
	query []*huma.Param
	body  *bodyRule
	// versioned operations take If-Match, keyed ones Idempotency-Key.
	versioned, keyed bool

	// answers is the schema of a good answer of the status; tagged answers have an ETag.
	answers *huma.Schema
	status  int
	tagged  bool
	// problems are the codes that it can answer beside those that all can.
	problems []string

	// public operations need nobody to be signed in.
	public bool
	// closed operations also serve the owner of an organization that is trashed.
	closed bool

	// Exactly one of these serves: in a transaction that may not write, in one that may, by itself, or
	// as a page for people.
	reads  func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error)
	writes func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error)
	serves func(ctx context.Context, c *call) (*answer, error)
	page   http.HandlerFunc

	// replay renders again what a keyed request has made, or nil where the key alone is remembered.
	replay func(ctx context.Context, tx *softdelete.Tx, c *call, made store.Made) (*answer, error)
}

// route is how logs and metrics name the operation.
func (op *operation) route() string { return op.method + " " + op.path }

// call is a request that has been read: everything in it is declared, and of its type.
type call struct {
	op      *operation
	request *http.Request
	// who is for whom transactions are asked for.
	who store.Request
	// id is the path's.
	id string
	// query holds the parameters that are not empty, by name: string, int or bool.
	query map[string]any
	// body are the members of the body; values, those of an entity's, once judged.
	body   map[string]any
	values softdelete.Values
	// version is If-Match's: 0 for none or any, negative when it can be no row's.
	version int64
	// key is Idempotency-Key.
	key string
}

func (c *call) text(name string) string {
	s, _ := c.query[name].(string)
	return s
}

func (c *call) number(name string) int {
	n, _ := c.query[name].(int)
	return n
}

// answer is a good answer.
type answer struct {
	status  int
	body    any
	version int64 // for the ETag; 0 for none
	// location is the path of what was made.
	location string
	// made names what a keyed request has made, for its replay.
	made     store.Made
	replayed bool
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }
