package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

var tag = regexp.MustCompile(`<[^>]*>`)

// readAloud is a page's content as it is read aloud.
func readAloud(page string) string {
	_, content, _ := strings.Cut(page, `<main id="main"`)
	return strings.Join(strings.Fields(unescape(tag.ReplaceAllString(strings.ReplaceAll(content, "</", " </"), ""))), " ")
}

func TestHistory_tellsWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	page := w.get("mia", "/deals/rocket/edit").body
	w.follow("mia", "/ui/deals/rocket", fill(t, page, map[string]string{
		"value": "13,000.75", "stage": "won", "contactId": "", "clientCompanyId": "blue", "ownerId": "olga", "expectedCloseDate": "2027-01-15", "notes": "One\r\nTwo",
	}))
	assert.Contains(t, w.get("vic", "/deals/rocket").body, `href="/deals/rocket/history"`)
	a := w.get("vic", "/deals/rocket/history")
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	said := readAloud(a.body)
	for _, text := range []string{
		"History of Rocket fuel", "Changed by Mia Member,", "Value €12,500.50 → , then €13,000.75", "Stage Negotiation → , then Won", "Client Acme → , then Blue Door",
		"Contact Ann Able → , then – none", "Owner Mia Member → , then Olga Owner", "Expected close 2026-12-31 → , then 2027-01-15", "Notes Before – none After One Two",
		"Added by a program,", "Name Rocket fuel", "Probability 60\u202f%",
	} {
		assert.Contains(t, said, strings.Join(strings.Fields(text), " "))
	}
	assert.Less(t, strings.Index(said, "Changed by"), strings.Index(said, "Added by"), "the newest is first")
	for _, text := range []string{"Version", "Organization id", "deletion", "Before €"} {
		assert.NotContains(t, said, text)
	}
	assert.Contains(t, a.body, `<a href="/clients/blue">Blue Door</a>`)

	// A target in the Trash is as absent here as it is elsewhere.
	w.remove("olga", "/clients/acme", "")
	a = w.get("vic", "/deals/rocket/history")
	assert.NotContains(t, a.body, "Acme")
	assert.Contains(t, readAloud(a.body), "Client not there any more → , then Blue Door")
	assert.Contains(t, readAloud(w.get("olga", "/organizations/o1/history").body), "History of Ours & Co")
	assert.Contains(t, w.get("vic", "/settings").body, `href="/organizations/o1/history"`)
}

// A deletion and its reason are told to who may see it in the Trash, and so is a row that is still there.
func TestHistory_ofWhatWasDeleted(t *testing.T) {
	w := newWorld(t)
	w.remove("olga", "/clients/acme", "sold its business")
	deletion := "/trash/" + w.ask(`select id from deletions`)
	said := readAloud(w.get("olga", "/clients/acme/history").body)
	assert.Contains(t, said, "Deleted by Olga Owner,")
	assert.Contains(t, said, "Reason: sold its business See the deletion")
	assert.Contains(t, w.get("olga", "/trash/rows/clients/acme").body, `href="/clients/acme/history"`)
	for _, path := range []string{"/clients/acme/history", "/contacts/ann/history"} {
		a := w.get("olga", path)
		assert.Contains(t, a.body, `href="`+deletion+`"`, path)
		assert.Contains(t, a.body, `class="back"><a href="/trash/rows`+strings.TrimSuffix(path, "/history")+`"`, path)
		for _, person := range []string{"mia", "vic"} {
			assert.Equal(t, w.get(person, "/clients/absent").body, w.get(person, path).body, "%s is not theirs to see in the Trash: %s", path, person)
		}
	}
	assert.Contains(t, readAloud(w.get("olga", "/contacts/ann/history").body), "Deleted with “Acme” by Olga Owner")

	w.follow("olga", "/ui"+deletion+"/restore", url.Values{})
	said = readAloud(w.get("adam", "/contacts/ann/history").body)
	assert.Contains(t, said, "Restored with “Acme” by Olga Owner")
	assert.Equal(t, 1, strings.Count(said, "sold its business"))
	for _, person := range []string{"mia", "vic"} {
		a := w.get(person, "/contacts/ann/history")
		assert.Equal(t, http.StatusOK, a.StatusCode)
		assert.Contains(t, readAloud(a.body), "Deleted by Olga Owner")
		for _, untold := range []string{"sold its business", deletion, "with “Acme”"} {
			assert.NotContains(t, a.body, untold, person)
		}
	}
}

func TestHistory_neverTellsSecretsNorWhatWasErased(t *testing.T) {
	w := newWorld(t)
	w.exec(`update client_portal_access set access_token = 'newer-secret' where id = 'door'; update contacts set email = 'ann@new.example', last_name = 'Ibel' where id = 'ann'; delete from organization_members where id = 'm-mia'`)
	a := w.get("olga", "/portal-access/door/history")
	assert.Equal(t, 2, strings.Count(readAloud(a.body), "Access token a secret, which is never shown"))
	assert.NotContains(t, a.body, "secret-token")
	assert.NotContains(t, a.body, "newer-secret")
	assert.Contains(t, readAloud(w.get("vic", "/contacts/ann/history").body), "Email ann@acme.example → , then ann@new.example")
	assert.Contains(t, readAloud(w.get("vic", "/deals/rocket/history").body), "Owner Former user")

	w.exec("delete from audit_envelopes")
	said := readAloud(w.get("vic", "/contacts/ann/history").body)
	assert.Contains(t, said, "Email erased → , then erased")
	assert.Contains(t, said, "First name erased")
	assert.NotContains(t, said, "sha256")
	assert.NotContains(t, said, "ann@")
}

func TestHistory_isReadInPages(t *testing.T) {
	w := newWorld(t)
	w.exec(`do $$ begin for n in 1..30 loop update roles set description = 'Turn ' || n || '.' where id = 'r1'; end loop; end $$`)
	first := w.get("olga", "/roles/r1/history")
	assert.Contains(t, first.body, "Turn 30.")
	assert.NotContains(t, first.body, "Turn 4.")
	older := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(first.body)
	require.NotNil(t, older)
	second := w.get("olga", unescape(older[1]))
	assert.Contains(t, second.body, "Turn 4.")
	assert.NotContains(t, second.body, "Turn 6.")
	assert.Contains(t, readAloud(second.body), "Added by")
	assert.NotContains(t, second.body, `rel="next"`)
	assert.Contains(t, second.body, `href="/roles/r1/history" rel="prev"`)
	w.exec(`begin; set local session_replication_role = replica; insert into roles (id, organization_id, name) values ('older', 'o1', 'Older than the trail'); commit`)
	assert.Contains(t, w.get("olga", "/roles/older/history").body, "Nothing is recorded yet.")
}

func TestTold_readsTheTrail(t *testing.T) {
	number, day, flag := store.Deals.Field("value"), store.Deals.Field("expectedCloseDate"), store.Contacts.Field("isPrimary")
	noon := time.Date(2026, 3, 10, 12, 0, 0, 500_000_000, time.UTC)
	for _, one := range []struct {
		f    *softdelete.Field
		raw  string
		want any
	}{
		{number, `12500.50`, softdelete.Decimal("12500.50")}, {number, `"dear"`, "dear"}, {store.Deals.Field("probability"), `60`, int32(60)},
		{store.Deals.Field("probability"), `9999999999`, "9999999999"}, {flag, `true`, true}, {flag, `"yes"`, "yes"}, {flag, `null`, nil}, {flag, ``, nil},
		{day, `"2026-03-10T12:00:00.5"`, noon}, {day, `"2026-03-10T14:00:00.5+02:00"`, noon}, {day, `"infinity"`, "infinity"},
		{store.Deals.Field("name"), `"a\"b"`, `a"b`}, {store.Deals.Field("name"), `{"a": 1}`, `{"a": 1}`},
		{store.Invoices.Field("lineItems"), `[{"a": 1}]`, json.RawMessage(`[{"a": 1}]`)},
	} {
		assert.Equal(t, one.want, told(one.f, json.RawMessage(one.raw)), "%s of %s", one.raw, one.f.Name)
	}
}
