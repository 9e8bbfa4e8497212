package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// organization is what an organization is to be like.
type organization struct {
	slug, name, currency string
	members              []member
	clients, deals       int
	engagements          int
	seed                 uint64
	words                words
}

type member struct {
	name string
	role softdelete.Role
}

var (
	first = organization{
		slug: First, name: "Fernhill Studio", currency: "EUR", clients: 40, deals: 56, engagements: 14, seed: 1, words: studio,
		members: []member{{Owner, softdelete.Owner}, {Admin, softdelete.Admin}, {Member, softdelete.Member}, {Viewer, softdelete.Viewer}},
	}
	second = organization{
		slug: Second, name: "Harbour & Pine", currency: "USD", clients: 12, deals: 15, engagements: 4, seed: 2, words: brewery,
		members: []member{{Owner, softdelete.Owner}},
	}
)

// world is the rows of one organization as they come into being.
type world struct {
	organization
	id        string
	now       time.Time
	random    *rand.Rand
	counts    map[string]int // rows so far, by kind
	rows      []any          // pointers to slices of models, parents first
	deletions []deletion
}

// deletion is one that a person is to have made.
type deletion struct {
	entity *softdelete.Entity
	id     string
	by     string
	role   softdelete.Role
	reason string
}

func newWorld(o organization, now time.Time) *world {
	return &world{
		organization: o, id: identify("organization", o.slug), now: now.UTC().Truncate(time.Second),
		random: rand.New(rand.NewPCG(o.seed, 2026)), counts: map[string]int{}, //nolint:gosec // the same each time on purpose
	}
}

// identify makes an id that is the same each time.
func identify(parts ...string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "gatehouse demo %q", parts)).String()
}

func userID(name string) string { return identify("user", name) }

// row is the head of the next row of a kind, which a member has written.
func (w *world) row(kind, by string) softdelete.Row {
	w.counts[kind]++
	author := userID(by)
	return softdelete.Row{
		ID: identify(w.slug, kind, fmt.Sprint(w.counts[kind])), OrganizationID: w.id,
		Lifecycle: softdelete.Lifecycle{CreatedBy: &author},
	}
}

// author is a member who may write; half of all is the owner's.
func (w *world) author() string {
	writers := w.members[:min(len(w.members), 3)]
	if w.random.IntN(2) == 0 {
		return writers[0].name
	}
	return one(w, writers).name
}

// role is the member's.
func (w *world) role(name string) softdelete.Role {
	for _, m := range w.members {
		if m.name == name {
			return m.role
		}
	}
	return softdelete.Viewer
}

// ago is a moment of a working day, so many days before now and up to that many more.
func (w *world) ago(days, spread int) time.Time {
	day := w.now.AddDate(0, 0, -days-w.random.IntN(spread+1)).Truncate(24 * time.Hour)
	return day.Add(8*time.Hour + time.Duration(w.random.IntN(10*60))*time.Minute)
}

// ahead is the end of a working day to come.
func (w *world) ahead(days, spread int) *time.Time {
	at := w.now.AddDate(0, 0, days+w.random.IntN(spread+1)).Truncate(24 * time.Hour).Add(17 * time.Hour)
	return &at
}

// money is a round amount between two, in units of 50.
func (w *world) money(least, most int) int { return least + w.random.IntN((most-least)/50+1)*50 }

func decimal(units int) softdelete.Decimal { return softdelete.Decimal(fmt.Sprintf("%d.00", units)) }

// one picks.
func one[T any](w *world, from []T) T { return from[w.random.IntN(len(from))] }

// weighted picks among values that are repeated as often as they are likely.
func weighted(w *world, from map[string]int, order []string) string {
	total := 0
	for _, value := range order {
		total += from[value]
	}
	at := w.random.IntN(total)
	for _, value := range order {
		if at -= from[value]; at < 0 {
			return value
		}
	}
	return order[0]
}

// document is JSON.
func document(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil { // of plain maps
		panic(err)
	}
	return text
}
