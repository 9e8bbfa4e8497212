package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// Options of [New].
type Options struct {
	// Store is the database.
	Store *store.Store
	// Logger is told what went wrong here, by request id.
	Logger *zap.Logger
	// Verify stands before all operations that need a person, and puts the [caller.Caller] into the
	// context: [caller.Verify]. Default: nothing, for a handler that stands behind it already. A request
	// without a caller is refused in either case.
	Verify func(http.Handler) http.Handler
	// Stopping reports whether the process is about to stop, and must get no new requests. Default: never.
	Stopping func() bool
}

// api is the handler.
type api struct {
	store     transactions
	resources map[string]softdelete.Resource
	deletions *softdelete.Deletions
	logger    *zap.Logger
	stopping  func() bool

	operations []*operation
	routes     routes
	document   *huma.OpenAPI
	origin     *http.CrossOriginProtection
	private    http.Handler // behind Verify
}

// transactions is what the handlers need of [store.Store].
type transactions interface {
	Do(ctx context.Context, r store.Request, f func(context.Context, *softdelete.Tx) error) error
	Read(ctx context.Context, r store.Request, f func(context.Context, *softdelete.Tx) error) error
	Memberships(ctx context.Context, p store.Person) ([]store.Membership, error)
	Ping(ctx context.Context) error
}

// New returns the handler of /api, /problems, /openapi.json, /openapi.yaml, /health and /ready. It stands
// behind [caller.Log].
func New(o Options) http.Handler {
	a := build(o)
	a.store, a.resources, a.deletions = o.Store, o.Store.Resources, o.Store.Deletions
	return a
}

// build makes the handler without its database.
func build(o Options) *api {
	a := &api{logger: o.Logger, stopping: o.Stopping, origin: http.NewCrossOriginProtection()}
	if a.logger == nil {
		a.logger = zap.NewNop()
	}
	if a.stopping == nil {
		a.stopping = func() bool { return false }
	}
	a.private = http.HandlerFunc(a.servePrivate)
	if o.Verify != nil {
		a.private = o.Verify(a.private)
	}
	a.document = newDocument()
	for _, op := range a.declare() {
		a.operations = append(a.operations, op)
		a.routes.add(op)
		a.describe(op)
	}
	finish(a.document)
	return a
}

// ServeHTTP serves what is public, and asks who is there for all else, also for what is not there.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operations, _ := a.routes.find(r.URL.EscapedPath())
	if op := pick(operations, r.Method); op != nil && op.public {
		caller.SetRoute(r.Context(), op.route())
		a.servePublic(op, w, r)
		return
	}
	a.private.ServeHTTP(w, r)
}

func (a *api) servePublic(op *operation, w http.ResponseWriter, r *http.Request) {
	if op.page != nil {
		op.page(w, r)
		return
	}
	a.serve(op, w, r, "")
}

func (a *api) servePrivate(w http.ResponseWriter, r *http.Request) {
	if _, there := caller.From(r.Context()); !there {
		fail("unauthenticated").write(w, r)
		return
	}
	operations, id := a.routes.find(r.URL.EscapedPath())
	op := pick(operations, r.Method)
	switch {
	case operations == nil:
		fail("not_found").write(w, r)
	case op != nil:
		caller.SetRoute(r.Context(), op.route())
		a.serve(op, w, r, id)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow(operations))
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allow(operations))
		fail("method_not_allowed").write(w, r)
	}
}

// serve reads the request, runs the operation, and writes its answer.
func (a *api) serve(op *operation, w http.ResponseWriter, r *http.Request, id string) {
	if a.origin.Check(r) != nil { // of safe methods it checks nothing
		fail("cross_site").write(w, r)
		return
	}
	c, refused := a.read(op, r, id)
	if refused != nil {
		refused.write(w, r)
		return
	}
	good, err := a.run(r.Context(), c)
	if err == nil {
		a.write(w, r, good)
		return
	}
	if p := a.explain(r.Context(), op, err); p != nil {
		p.write(w, r)
	}
}

// run serves the call in a transaction of its kind.
func (a *api) run(ctx context.Context, c *call) (good *answer, err error) {
	switch op := c.op; {
	case op.serves != nil:
		return op.serves(ctx, c)
	case op.reads != nil:
		err = a.store.Read(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
			good, err = a.enter(ctx, tx, c, op.reads)
			return err
		})
	default:
		err = a.store.Do(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
			good, err = a.enter(ctx, tx, c, op.writes)
			return err
		})
	}
	return good, err
}

// enter lets nobody but its owner into a closed organization, and nobody else far.
func (a *api) enter(ctx context.Context, tx *softdelete.Tx, c *call, serve func(context.Context, *softdelete.Tx, *call) (*answer, error)) (*answer, error) {
	if tx.Closed && !c.op.closed {
		return nil, store.ErrClosed
	}
	if c.key != "" {
		return once(ctx, tx, c, serve)
	}
	return serve(ctx, tx, c)
}

// write answers with what an operation has returned.
func (a *api) write(w http.ResponseWriter, r *http.Request, good *answer) {
	body, err := json.Marshal(good.body)
	if err != nil {
		a.logger.Error("an answer cannot be encoded", zap.String("request_id", caller.RequestID(r.Context())), zap.Error(err))
		fail("internal").write(w, r)
		return
	}
	h := w.Header()
	if good.version != 0 {
		h.Set("ETag", `"`+strconv.FormatInt(good.version, 10)+`"`)
	}
	if good.location != "" {
		h.Set("Location", good.location)
	}
	if good.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	send(w, r, good.status, "application/json", body)
}

// explain makes a problem of an error; nil when nobody is left to be told.
func (a *api) explain(ctx context.Context, op *operation, err error) *problem {
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	if fields, ok := errors.AsType[*softdelete.FieldError](err); ok && op.reads != nil {
		return parameterProblem(fields)
	}
	if p := problemOf(err); p != nil {
		return p
	}
	a.logger.Error("request failed", zap.String("request_id", caller.RequestID(ctx)), zap.String("route", op.route()),
		zap.String("error", store.Loggable(err)))
	return fail("internal")
}
