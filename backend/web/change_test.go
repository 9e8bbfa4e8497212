package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// fill is what a browser would send of a page's form, with some fields typed anew.
func fill(t *testing.T, page string, typed map[string]string) url.Values {
	t.Helper()
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="(hidden|text|date|datetime-local)"[^>]* name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[2], unescape(m[3]))
	}
	for _, m := range regexp.MustCompile(`<input type="checkbox"[^>]* name="([^"]+)" value="yes" checked`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], "yes")
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], strings.ReplaceAll(unescape(m[2]), "\n", "\r\n"))
	}
	for _, m := range regexp.MustCompile(`(?s)<select id="field-([^"]+)" name="[^"]+"[^>]*>(.*?)</select>`).FindAllStringSubmatch(page, -1) {
		if chosen := regexp.MustCompile(`value="([^"]*)" selected`).FindStringSubmatch(m[2]); chosen != nil {
			form.Set(m[1], unescape(chosen[1]))
		}
	}
	for name, value := range typed {
		form.Set(name, value)
	}
	return form
}

func unescape(s string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(s)
}

// ask asks one thing as the owner of the tables.
func (w *world) ask(query string) string {
	w.t.Helper()
	return ask(w.t, w.base, query)
}

func TestEdit_savesWhatWasChangedAlone(t *testing.T) {
	w := newWorld(t)
	page := w.get("mia", "/deals/rocket/edit")
	form := fill(t, page.body, nil)
	assert.Equal(t, "12500.50", form.Get("value"))
	assert.Equal(t, "2026-12-31", form.Get("expectedCloseDate"))
	assert.Equal(t, "acme", form.Get("clientCompanyId"))
	assert.Equal(t, "mia", form.Get("ownerId"))

	before := w.ask(`select version from deals where id = 'rocket'`)
	same := w.follow("mia", "/ui/deals/rocket", form)
	assert.Contains(t, same.body, "Nothing was changed.")
	assert.Equal(t, before, w.ask(`select version from deals where id = 'rocket'`))

	form = fill(t, page.body, map[string]string{"value": "13,000.75", "stage": "won", "contactId": "", "closedAt": "2026-03-10T09:30", "notes": "One\r\nTwo"})
	saved := w.follow("mia", "/ui/deals/rocket", form)
	assert.Contains(t, saved.body, "Your changes are saved.")
	assert.Contains(t, saved.body, "€13,000.75")
	assert.Equal(t, "13000.75|won||2026-03-10 08:30:00|One\nTwo", w.ask(`select concat_ws('|', value, stage, coalesce(contact_id, ''), closed_at, notes) from deals where id = 'rocket'`),
		"half past nine in Berlin")
	assert.Equal(t, "acme|2026-12-31 00:00:00", w.ask(`select concat_ws('|', client_company_id, expected_close_date) from deals where id = 'rocket'`))
}

// All that was typed comes back with what is wrong with it, beside each field and in a summary.
func TestCreate_tellsAllThatIsWrongAndKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	typed := url.Values{
		"name": {""}, "value": {"a lot"}, "probability": {"half"}, "stage": {"sold"}, "expectedCloseDate": {"soon"}, "description": {"Kept\r\ntext"},
		"clientCompanyId": {"absent"}, "notes": {strings.Repeat("n", 300)}, "ownerId": {"olga"},
	}
	a := w.post("olga", "/ui/deals", typed)
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	for _, text := range []string{"5 things have to be corrected", "Enter a name.", "Write a number such as 1250.00.", "Write a whole number such as 25.", "Choose one of the values.", "Write a date such as 2026-03-31."} {
		assert.Contains(t, a.body, text)
	}
	assert.Contains(t, a.body, "Kept\ntext</textarea>")
	assert.Contains(t, a.body, `value="a lot" autocomplete="off" inputmode="decimal" aria-invalid="true" aria-describedby="field-value-problem"`)
	assert.Contains(t, a.body, `href="#field-value"`)
	assert.Contains(t, a.body, "<title>Not saved: Add a deal")

	typed = url.Values{"name": {"Boots for all"}, "stage": {"lead"}, "ownerId": {"olga"}, "clientCompanyId": {"absent"}}
	a = w.post("olga", "/ui/deals", typed)
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "This one is not there any more.")
	typed.Set("clientCompanyId", "blue")
	made := w.follow("olga", "/ui/deals", typed)
	assert.Contains(t, made.body, "It has been added.")
	assert.Contains(t, made.body, "Boots for all")

	a = w.post("olga", "/ui/roles", url.Values{"name": {"Manager"}})
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "There is one like it already.")
	a = w.post("olga", "/ui/clients", url.Values{"name": {strings.Repeat("é", 256)}})
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "Use at most 255 characters.")
	a = w.post("olga", "/ui/invoices", url.Values{"engagementId": {"launch"}, "invoiceNumber": {"X"}, "status": {"draft"}, "amount": {"99999999999"}, "totalAmount": {"1.005"}, "lineItems": {"[1,\n2"}})
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "This number is too large to be kept.")
	assert.Contains(t, a.body, "This is not JSON: look at line 2.")
}

// Two people edit one row. The second is told what the first has changed, and loses nothing.
func TestEdit_tellsOfAChangeMeanwhile(t *testing.T) {
	w := newWorld(t)
	open := w.get("olga", "/deals/rocket/edit").body
	w.follow("mia", "/ui/deals/rocket", fill(t, open, map[string]string{"name": "Rocket fuel, cheap", "probability": "75"}))

	mine := fill(t, open, map[string]string{"name": "Rocket fuel, dear", "notes": "Call back"})
	a := w.post("olga", "/ui/deals/rocket", mine)
	require.Equal(t, http.StatusPreconditionFailed, a.StatusCode)
	assert.Contains(t, a.body, "Somebody else has changed this while you were editing")
	assert.Contains(t, a.body, "Rocket fuel, cheap")
	assert.Contains(t, a.body, "<strong>Rocket fuel, dear</strong>")
	again := fill(t, a.body, nil)
	assert.Equal(t, "Rocket fuel, dear", again.Get("name"), "what was typed is kept")
	assert.Equal(t, "75", again.Get("probability"), "what was not touched is up to date")
	w.follow("olga", "/ui/deals/rocket", again)
	assert.Equal(t, "Rocket fuel, dear|75|Call back", w.ask(`select concat_ws('|', name, probability, notes) from deals where id = 'rocket'`))
}

func TestEdit_keepsWhatWasTypedForARowThatIsGone(t *testing.T) {
	w := newWorld(t)
	open := w.get("olga", "/clients/acme/edit").body
	w.follow("olga", "/ui/clients/acme/delete", url.Values{"version": {"1"}})
	a := w.post("olga", "/ui/clients/acme", fill(t, open, map[string]string{"notes": "A long story"}))
	require.Equal(t, http.StatusNotFound, a.StatusCode)
	assert.Contains(t, a.body, "is not there any more")
	assert.Contains(t, a.body, "A long story</textarea>")
}

// Without scripts a picker is searched by a button that sends the form, which saves nothing.
func TestForm_searchesPickersWithoutScripts(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into client_companies (id, organization_id, name, created_at) select 'many' || n, 'o1', 'Many ' || n, now() + n * interval '1 second' from generate_series(1, 60) n`)
	page := w.get("olga", "/new/contacts").body
	assert.NotContains(t, page, `value="acme"`, "it is not among the newest fifty")
	form := fill(t, page, map[string]string{"firstName": "Kept", "find.clientCompanyId": "Acm", "find": "clientCompanyId"})
	a := w.post("olga", "/ui/contacts", form)
	require.Equal(t, http.StatusOK, a.StatusCode)
	assert.Contains(t, a.body, `<option value="acme">Acme</option>`)
	assert.Contains(t, a.body, `value="Kept"`)
	form = fill(t, a.body, map[string]string{"lastName": "Name", "clientCompanyId": "acme", "find.clientCompanyId": "Acm"})
	made := w.follow("olga", "/ui/contacts", form)
	assert.Contains(t, made.body, "Kept Name")

	form.Del("find")
	form.Set("find.clientCompanyId", "Blue")
	a = w.post("olga", "/ui/contacts", form)
	assert.Equal(t, http.StatusOK, a.StatusCode, "return in the search looks, and saves nothing")
	page = w.get("olga", "/contacts/ann/edit").body
	assert.Contains(t, page, `<option value="acme" selected>Acme</option>`, "what is chosen is offered however old")
}

// A save that the database did not take is offered again with all that was typed.
func TestPages_offerAFormAgainWhileTheDatabaseIsAway(t *testing.T) {
	away, err := store.New(store.Options{DSN: "postgres://app@127.0.0.1:1/none?sslmode=disable", CursorKey: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, away.Close()) })
	pages, err := New(Options{Store: away})
	require.NoError(t, err)
	w := &world{t: t, pages: pages}
	a := w.post("olga", "/ui/clients", url.Values{"name": {"Typed & kept"}})
	require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
	assert.Contains(t, a.body, `<form method="post" action="/ui/clients"><input type="hidden" name="name" value="Typed &amp; kept">`)
	assert.Equal(t, "5", a.Header.Get("Retry-After"))
	assert.NoError(t, wellFormed(a.body))
	assert.Equal(t, http.StatusServiceUnavailable, w.get("olga", "/").StatusCode)
}
