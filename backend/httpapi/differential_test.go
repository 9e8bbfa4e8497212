package httpapi

import (
	"flag"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// apart are the routes whose answers may tell of what is trashed. So may, of a trashed row and to who sees it in the
// Trash, an entity's own trash, restore, history and delete; all else must be as if the row had never been.
var apart = map[string]bool{
	"GET /api/trash":                   true,
	"POST /api/trash/restore":          true,
	"GET /api/deletions/{id}":          true,
	"POST /api/deletions/{id}/restore": true,
}

// seeds is how many sets are tried. The first is the one of every day; others send more requests.
var seeds = flag.Uint64("differential.seeds", 1, "sets of rows for TestDifferential_trashedIsAbsent")

// TestDifferential_trashedIsAbsent: a database of which rows were deleted answers as one that never had them.
func TestDifferential_trashedIsAbsent(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPair(t, seed+1)
			p.play(seed%2 == 0)
			t.Logf("%d requests", p.requests)
			if p.requests < 1500 {
				t.Errorf("only %d requests", p.requests)
			}
			for _, difference := range p.differences {
				t.Error(difference)
			}
		})
	}
}

// elsewhere are routes that the play does not send, and why.
var elsewhere = map[string]string{
	"PATCH /api/organizations/settings": "PATCH /api/organizations/{id} does the same",
	"PUT /api/organizations/settings":   "PUT /api/organizations/{id} does the same",
	"GET /problems/{id}":                "a page that knows no rows",
}

// TestDifferential_knowsEveryRoute: a route that is new is played, apart, or explained.
func TestDifferential_knowsEveryRoute(t *testing.T) {
	verbs := []string{"list", "create", "get", "patch", "put", "delete", "deletion-preview", "restore", "history", "trash"}
	for _, op := range build(Options{}).operations {
		place, placed := placeOf(op)
		played := slices.Contains(verbs, place.verb) || !placed && op.method == http.MethodGet && !strings.Contains(op.path, "{id}")
		if !played && !apart[op.route()] && elsewhere[op.route()] == "" {
			t.Errorf("%s is in no list of the differential test", op.route())
		}
	}
}

// pair are two databases: of one the rows were deleted, the other never had them.
type pair struct {
	deleted, never *world
	data           *dataset
	requests       int
	differences    []string
	// enough is how many differences end the play.
	enough int
}

func newPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	p := &pair{deleted: newWorld(t), never: newWorld(t), data: makeDataset(seed), enough: 10}
	p.deleted.load(p.data, false)
	p.deleted.deleteAll(p.data)
	p.never.load(p.data, true)
	p.requests = 0
	return p
}

// both sends one request to both, and compares the answers. It returns that of the database which never had
// the rows.
func (p *pair) both(person, method, target string, body any, headers ...string) reply {
	if len(p.differences) >= p.enough {
		return reply{}
	}
	p.requests++
	headers = append(headers, "X-Request-Id", fmt.Sprintf("request-%d", p.requests))
	var one reply
	var first sync.WaitGroup
	first.Go(func() { one = p.deleted.as(person, method, target, body, headers...) })
	other := p.never.as(person, method, target, body, headers...)
	first.Wait()
	if a, b := tell(one), tell(other); a != b {
		p.differences = append(p.differences, fmt.Sprintf("%s %s %v as %s\nrows were deleted: %s\nrows never were:   %s", method, target, body, person, a, b))
	}
	return other
}

// What two databases cannot have in common: the clock, and the ids that they make.
var (
	madeNow = regexp.MustCompile(`"20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z"`)
	madeID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// cursors that begin at a row that was just made.
	madeCursor = regexp.MustCompile(`"nextCursor":"[^"]+"`)
)

// tell is all that an answer says. Where it tells of something that the database has just made, the names of
// that are left out; all else is compared as it is.
func tell(r reply) string {
	body := r.Body.String()
	location := r.Header().Get("Location")
	if madeID.MatchString(body) {
		body = madeID.ReplaceAllString(body, "ID")
		body = madeCursor.ReplaceAllString(body, `"nextCursor":"CURSOR"`)
		location = madeID.ReplaceAllString(location, "ID")
	}
	body = madeNow.ReplaceAllStringFunc(body, func(at string) string {
		if strings.HasPrefix(at, `"2020-`) { // the dataset's
			return at
		}
		return `"NOW"`
	})
	header := r.Header().Clone()
	header.Set("Location", location)
	return fmt.Sprint(r.Code, header, body)
}

func (p *pair) compare(what string, one, other reply) {
	p.requests++
	strip := func(r reply) string {
		return strings.ReplaceAll(tell(r), r.Header().Get("X-Request-Id"), "")
	}
	if a, b := strip(one), strip(other); a != b {
		p.differences = append(p.differences, fmt.Sprintf("%s\nrows were deleted: %s\nrows never were:   %s", what, a, b))
	}
}
