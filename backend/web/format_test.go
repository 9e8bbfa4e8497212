package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestFormat_writesAsTheOrganizationReads(t *testing.T) {
	f := newFormat(&store.Organization{Timezone: "Europe/Berlin", Currency: "EUR", DateFormat: "DD.MM.YYYY"}, at)
	assert.Equal(t, "€12,500.00", f.money("12500.00"))
	assert.Equal(t, "−€0.50", f.money("-0.50"))
	assert.Equal(t, "€999,999,999.99", f.money("999999999.99"))
	assert.Equal(t, "31.12.2026", f.day(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)))
	assert.Equal(t, "today, 00:30", f.moment(time.Date(2026, 3, 9, 23, 30, 0, 0, time.UTC)), "it is tomorrow in Berlin already")
	assert.Equal(t, "yesterday, 23:59", f.moment(time.Date(2026, 3, 9, 22, 59, 0, 0, time.UTC)))
	assert.Equal(t, "01.07.2026, 14:00", f.moment(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)))

	f = newFormat(&store.Organization{Timezone: "Mars/Base", Currency: "CHF", DateFormat: "sometimes"}, at)
	assert.Equal(t, "CHF\u00a01.00", f.money("1.00"))
	assert.Equal(t, "2026-12-31", f.day(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)))
}

func TestLayout(t *testing.T) {
	for pattern, want := range map[string]string{
		"YYYY-MM-DD": "2006-01-02", "MM/DD/YYYY": "01/02/2006", "D MMM YYYY": "2 Jan 2006", "D MMMM YYYY": "2 January 2006",
		"": "2006-01-02", "DD.MM": "2006-01-02", "<script>YYYY": "2006-01-02",
	} {
		assert.Equal(t, want, layout(pattern), pattern)
	}
}

func TestWebsite(t *testing.T) {
	for typed, want := range map[string]string{
		"acme.example": "https://acme.example", "http://acme.example/a": "http://acme.example/a", " https://acme.example ": "https://acme.example",
		"javascript:alert(1)": "", "javascript://acme.example/%0aalert(1)": "", "data:text/html,x": "", "https://user:word@acme.example": "", "acme": "", "": "",
	} {
		assert.Equal(t, want, website(typed), typed)
	}
}

func TestParse_takesWhatPeopleType(t *testing.T) {
	number, day := store.Deals.Field("value"), store.Deals.Field("expectedCloseDate")
	f := newFormat(&store.Organization{Timezone: "Europe/Berlin"}, at)
	for typed, want := range map[string]any{"1250": "1250", " 1,250.50 ": "1250.50", "-3": "-3", "1,000,000": "1000000", "": nil} {
		value, problem := parse(number, typed, f)
		assert.Equal(t, want, value, typed)
		assert.Empty(t, problem, typed)
	}
	for _, typed := range []string{"12,5", "1,25.50", "1.234.567", "1e5", "0x1F", "1.005", "€5", "NaN"} {
		_, problem := parse(number, typed, f)
		assert.NotEmpty(t, problem, typed)
	}
	value, _ := parse(day, "2026-03-31", f)
	assert.Equal(t, "2026-03-31T00:00:00Z", value)
}

// A document is whoever's who may write one: what it makes of a page must not grow by more than it is.
func TestDocument_growsByNoMoreThanItIs(t *testing.T) {
	shown := func(raw string) (c cell) {
		document(&c, []byte(raw))
		return c
	}
	lines := func(n int, line func(int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = line(i)
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	assert.Equal(t, "table", shown(lines(200, func(int) string { return `{"item": "x", "price": 1}` })).Kind)
	for name, raw := range map[string]string{
		"each with a member of its own": lines(1000, func(i int) string { return fmt.Sprintf(`{"m%d": 1}`, i) }),
		"most without any":              `[{"a":1,"b":1,"c":1,"d":1,"e":1}, ` + lines(5000, func(int) string { return `{}` })[1:],
	} {
		c := shown(raw)
		assert.Equal(t, "code", c.Kind, name)
		assert.Nil(t, c.Table, name)
	}
	deep := strings.Repeat("[", 60) + lines(20_000, func(int) string { return "1" }) + strings.Repeat("]", 60)
	assert.LessOrEqual(t, len(shown(deep).Text), len(deep))
	assert.LessOrEqual(t, len(indented([]byte(deep))), len(deep))
	assert.Equal(t, "[\n  1\n]", shown("[1]").Text)
}

func TestWords(t *testing.T) {
	p := &Pages{entities: store.Entities, byKind: map[string]*softdelete.Entity{}}
	for _, e := range p.entities {
		p.byKind[e.Kind] = e
	}
	counts := softdelete.Counts{"clients": 1, "contacts": 1200, "portal-access": 1, "deals": 0}
	assert.Equal(t, []string{"1,200 contacts", "1 portal access"}, p.others(counts, "clients"))
	assert.Equal(t, " with 1,200 contacts and 1 portal access", with(p.others(counts, "clients")))
	assert.Equal(t, "a, b and c", enumerate([]string{"a", "b", "c"}))
	assert.Equal(t, "an invoice", article("invoice"))
	assert.Equal(t, "On hold", word("on_hold"))
	assert.Empty(t, word(""))
	for _, e := range store.Entities {
		for _, f := range e.Fields {
			for _, value := range f.Enum {
				assert.NotEmpty(t, word(value))
			}
		}
	}
	for kind := range shapes {
		assert.NotNil(t, p.byKind[kind], "a shape of no kind: %s", kind)
	}
	placed := map[string]bool{"organizations": true} // the settings
	for _, s := range sections {
		for _, kind := range append(append([]string{}, s.first...), s.more...) {
			placed[kind] = true
		}
	}
	for _, e := range store.Entities {
		assert.True(t, placed[e.Kind], "%s is not in the navigation", e.Kind)
		for _, names := range [][]string{shapes[e.Kind].columns, shapes[e.Kind].lead, shapes[e.Kind].filters} {
			for _, name := range names {
				assert.NotNil(t, e.Field(name), "%s of %s", name, e.Kind)
			}
		}
	}
}
