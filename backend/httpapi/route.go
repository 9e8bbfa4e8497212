package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxID is the longest id, in bytes.
const maxID = 255

// routes finds operations by path, a segment a step. A path is matched as it came: nothing is cleaned,
// nothing redirected, and no percent-encoding hides a fixed segment; only ids are decoded.
type routes struct {
	next       map[string]*routes
	id         *routes // behind any id
	operations map[string]*operation
}

func (t *routes) add(op *operation) {
	for segment := range strings.SplitSeq(strings.TrimPrefix(op.path, "/"), "/") {
		if strings.HasPrefix(segment, "{") {
			if t.id == nil {
				t.id = &routes{}
			}
			t = t.id
			continue
		}
		if t.next == nil {
			t.next = map[string]*routes{}
		}
		if t.next[segment] == nil {
			t.next[segment] = &routes{}
		}
		t = t.next[segment]
	}
	if t.operations == nil {
		t.operations = map[string]*operation{}
	}
	if t.operations[op.method] != nil {
		panic("httpapi: " + op.route() + " is there twice")
	}
	t.operations[op.method] = op
}

// find returns the operations of an escaped path, and its id where it has one; nil when there are none.
// An id that no row can have leads nowhere.
func (t *routes) find(path string) (operations map[string]*operation, id string) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, ""
	}
	for segment := range strings.SplitSeq(rest, "/") {
		switch {
		case t.next[segment] != nil:
			t = t.next[segment]
		case t.id != nil && segment != "":
			value, err := url.PathUnescape(segment)
			if err != nil || !possibleID(value) {
				return nil, ""
			}
			t, id = t.id, value
		default:
			return nil, ""
		}
	}
	return t.operations, id
}

// possibleID reports whether a row could have the id.
func possibleID(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && strings.IndexByte(id, 0) < 0
}

// pick returns the operation of a method; HEAD is GET without the body.
func pick(operations map[string]*operation, method string) *operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return operations[method]
}

// allow lists the methods of a path.
func allow(operations map[string]*operation) string {
	methods := []string{http.MethodOptions}
	for method := range operations {
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
