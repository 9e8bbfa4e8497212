package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// remove deletes a row by its page, and returns where that leads.
func (w *world) remove(person, path, reason string) string {
	w.t.Helper()
	page := w.get(person, path+"/delete")
	require.Equal(w.t, http.StatusOK, page.StatusCode, page.body)
	a := w.post(person, "/ui"+path+"/delete", fill(w.t, page.body, map[string]string{"reason": reason}))
	require.Equal(w.t, http.StatusSeeOther, a.StatusCode, a.body)
	return a.Header.Get("Location")
}

// action is where the form of a page posts whose button says that.
func action(t *testing.T, page, button string) string {
	t.Helper()
	m := regexp.MustCompile(`action="([^"]+)"[^>]*>(<input[^>]*>)*<button[^>]*>` + regexp.QuoteMeta(button)).FindStringSubmatch(page)
	require.NotNil(t, m, "no button %q", button)
	return m[1]
}

func TestDelete_previewsDeletesAndUndoes(t *testing.T) {
	w := newWorld(t)
	page := w.get("olga", "/clients/acme/delete").body
	for _, text := range []string{"Delete Acme?", "2 contacts", "1 portal access", "1 deal will show no client", "1 engagement will show no client", "1 invoice will show no client", "1 portal access would come back without its old access token."} {
		assert.Contains(t, page, text)
	}
	to := w.remove("olga", "/clients/acme", "duplicate")
	list := w.get("olga", to).body
	assert.Contains(t, list, "“Acme” is in the Trash with 2 contacts and 1 portal access.")
	assert.NotContains(t, list, `href="/clients/acme"`)
	assert.Equal(t, http.StatusNotFound, w.get("olga", "/clients/acme").StatusCode)
	assert.NotContains(t, w.get("olga", "/deals/rocket").body, "Acme", "its references show nothing")

	back := w.follow("olga", action(t, list, "Undo"), url.Values{})
	assert.Contains(t, back.body, "“Acme” is back with 2 contacts and 1 portal access. For safety, 1 portal access came back without its old access token.")
	assert.Contains(t, w.get("olga", "/deals/rocket").body, `href="/clients/acme"`)
	assert.Contains(t, back.body, "Ann Able")
	again := w.post("olga", action(t, list, "Undo"), nil)
	assert.Equal(t, http.StatusConflict, again.StatusCode)
	assert.Contains(t, again.body, "This is not in the Trash")
}

func TestDelete_refusesInWords(t *testing.T) {
	w := newWorld(t)
	page := w.get("olga", "/members/m-olga/delete").body
	assert.Contains(t, page, "last owner of the organization")
	assert.NotContains(t, page, `name="reason"`)
	w.exec(`update client_companies set created_by = 'mia' where id = 'acme'; update contacts set created_by = 'olga' where id = 'ben'`)
	page = w.get("mia", "/clients/acme/delete").body
	assert.Contains(t, page, "It would take along")
	a := w.post("mia", "/ui/clients/acme/delete", url.Values{"version": {w.ask(`select version from client_companies where id = 'acme'`)}})
	assert.Equal(t, http.StatusForbidden, a.StatusCode)
	assert.Contains(t, a.body, "that members may not delete")
	a = w.post("olga", "/ui/clients/acme/delete", url.Values{"version": {"1"}, "reason": {"kept"}})
	assert.Equal(t, http.StatusPreconditionFailed, a.StatusCode)
	assert.Contains(t, a.body, "It has changed since you looked at it.")
	assert.Contains(t, a.body, `value="kept"`)
	a = w.post("olga", "/ui/clients/acme/delete", url.Values{"version": {"2"}, "reason": {strings.Repeat("é", 501)}})
	assert.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "Use at most 500 characters.")
	assert.Equal(t, http.StatusBadRequest, w.post("olga", "/ui/clients/acme/delete", nil).StatusCode, "without a version")
	assert.Equal(t, "0", w.ask(`select count(*) from deletions`))
}

func TestTrash_showsAndRestores(t *testing.T) {
	w := newWorld(t)
	w.remove("olga", "/clients/acme", "duplicate")
	w.remove("mia", "/deals/rocket", "")
	trash := w.get("olga", "/trash").body
	for _, text := range []string{"Acme", "duplicate", "by Olga Owner", "2 contacts and 1 portal access", "Rocket fuel", "by Mia Member"} {
		assert.Contains(t, trash, text)
	}
	mine := w.get("mia", "/trash").body
	assert.Contains(t, mine, "Rocket fuel")
	assert.NotContains(t, mine, "Acme")
	assert.NotContains(t, w.get("olga", "/trash?kind=deals").body, "duplicate")
	assert.NotContains(t, w.get("olga", "/trash?deletedBy=mia").body, "duplicate")
	assert.Contains(t, w.get("olga", "/trash?q=acm").body, "duplicate")

	deletion := regexp.MustCompile(`href="(/trash/[0-9a-f-]{36})">Acme<`).FindStringSubmatch(trash)[1]
	page := w.get("olga", deletion).body
	for _, text := range []string{"In the Trash", "Restore all 4", "Ann Able", "Ben Baker", "Portal accesses", "duplicate"} {
		assert.Contains(t, page, text)
	}
	assert.Equal(t, http.StatusNotFound, w.get("mia", deletion).StatusCode)
	row := w.get("olga", "/trash/rows/clients/acme").body
	assert.Contains(t, row, "First line\nSecond line")
	assert.Contains(t, row, deletion)

	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(trash, -1)
	require.Len(t, ids, 2)
	many := w.post("olga", "/ui/trash/restore", url.Values{"id": {ids[0][1], ids[1][1]}})
	assert.Equal(t, http.StatusOK, many.StatusCode)
	assert.Contains(t, many.body, "2 of 2 are back.")
	assert.NoError(t, wellFormed(many.body))
	assert.Equal(t, http.StatusOK, w.get("olga", "/clients/acme").StatusCode)
	assert.Contains(t, w.get("olga", deletion).body, "Restored")
	some := w.post("olga", "/ui/trash/restore", url.Values{"id": {ids[0][1], "0193f000-0000-7000-8000-000000000000"}})
	assert.Equal(t, http.StatusConflict, some.StatusCode)
	assert.Contains(t, some.body, "0 of 2 are back.")
	assert.Contains(t, some.body, "A deletion that is not there")
	assert.Equal(t, http.StatusSeeOther, w.post("olga", "/ui/trash/restore", nil).StatusCode, "nothing chosen")

	var absent []string
	for i := range maxRestores {
		absent = append(absent, fmt.Sprintf("0193f000-0000-7000-8000-%012d", i))
	}
	most := w.post("olga", "/ui/trash/restore", url.Values{"id": absent})
	assert.NotEqual(t, http.StatusBadRequest, most.StatusCode, "as many as a form may have")
	more := w.post("olga", "/ui/trash/restore", url.Values{"id": append(absent, "0193f000-0000-7000-8000-999999999999")})
	assert.Equal(t, http.StatusBadRequest, more.StatusCode, "one more")
}

func TestRestore_explainsWhatIsInTheWay(t *testing.T) {
	w := newWorld(t)
	w.remove("olga", "/roles/r1", "")
	w.follow("olga", "/ui/roles", url.Values{"name": {"Manager"}})
	a := w.post("olga", "/ui/roles/r1/restore", nil)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	assert.Contains(t, a.body, "The role “Manager” cannot come back: meanwhile there is another one with the same name.")
	assert.Regexp(t, `href="/roles/[0-9a-f-]{36}">Open Manager<`, a.body)
	assert.NoError(t, wellFormed(a.body))

	w.remove("olga", "/contacts/ann", "")
	w.remove("olga", "/clients/acme", "")
	a = w.post("olga", "/ui/contacts/ann/restore", nil)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	assert.Contains(t, a.body, "The contact “Ann Able” cannot come back by itself: the client “Acme” that it belongs to is in the Trash too. Restore that first.")
	assert.Regexp(t, `href="/trash/[0-9a-f-]{36}">Open that deletion<`, a.body)
}

// One row of a deletion comes back by itself, and the rest of it later.
func TestRestore_ofOneRow(t *testing.T) {
	w := newWorld(t)
	to := w.remove("olga", "/engagements/launch", "")
	deletion := "/trash/" + strings.TrimPrefix(to, "/engagements?deletion=")
	a := w.post("olga", "/ui/invoices/inv1/restore", nil)
	assert.Equal(t, http.StatusConflict, a.StatusCode, "its engagement is in the Trash")
	w.follow("olga", "/ui/engagements/launch/restore", nil)
	page := w.get("olga", deletion).body
	assert.Contains(t, page, "Restored")
	assert.Equal(t, http.StatusOK, w.get("olga", "/invoices/inv1").StatusCode, "it had been taken along")
}

func TestOrganization_closesAndOpensAgain(t *testing.T) {
	w := newWorld(t)
	page := w.get("olga", "/organizations/o1/delete")
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, page.body, "Close Ours &amp; Co?")
	a := w.post("olga", "/ui/organizations/o1/delete", fill(t, page.body, nil))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	for _, path := range []string{"/", "/clients", "/clients/acme", "/trash"} {
		closed := w.get("olga", path)
		assert.Equal(t, http.StatusForbidden, closed.StatusCode)
		assert.Contains(t, closed.body, "Ours &amp; Co is closed", path)
		assert.NoError(t, wellFormed(closed.body))
		others := w.get("adam", path)
		assert.Equal(t, http.StatusForbidden, others.StatusCode)
		assert.Contains(t, others.body, "This organization is closed")
		assert.NotContains(t, others.body, "Ours")
	}
	w.follow("olga", action(t, w.get("olga", "/").body, "Open it again"), url.Values{})
	assert.Equal(t, http.StatusOK, w.get("adam", "/clients/acme").StatusCode)
}

func TestAccounts_areToldWhatToDo(t *testing.T) {
	w := newWorld(t)
	chooser := w.get("eve", "/clients")
	assert.Equal(t, http.StatusConflict, chooser.StatusCode)
	assert.Contains(t, chooser.body, "Ours &amp; Co")
	assert.Contains(t, chooser.body, "Foreign Ltd")
	chosen := w.post("eve", "/ui/switch", url.Values{"organization": {"o1"}})
	require.Equal(t, http.StatusSeeOther, chosen.StatusCode)
	cookie := chosen.Header.Get("Set-Cookie")
	assert.Equal(t, "org=o1; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax", cookie)
	assert.Contains(t, w.get("eve", "/clients", "Cookie", "org=o1").body, "Blue Door")
	assert.Contains(t, w.get("eve", "/clients", "Cookie", "org=o2").body, "Foreign Client")
	assert.Equal(t, http.StatusNotFound, w.post("olga", "/ui/switch", url.Values{"organization": {"o2"}}).StatusCode, "not hers")
	lost := w.get("olga", "/clients", "Cookie", "org=o2")
	assert.Equal(t, http.StatusNotFound, lost.StatusCode)
	assert.Contains(t, lost.body, `href="/switch"`, "the way out of a cookie that is not hers")
	assert.Equal(t, http.StatusOK, w.get("olga", "/switch", "Cookie", "org=o2").StatusCode)

	nowhere := w.get("nora", "/")
	assert.Equal(t, http.StatusForbidden, nowhere.StatusCode)
	assert.Contains(t, nowhere.body, "You do not belong to an organization")
	stranger := w.get("stranger", "/")
	assert.Equal(t, http.StatusForbidden, stranger.StatusCode)
	assert.Contains(t, stranger.body, "There is no account for you here")
	assert.Contains(t, stranger.body, `action="/_auth/logout"`)
}

// Of what retention has purged meanwhile the rest comes back, when that is accepted.
func TestRestore_ofWhatIsPartlyGone(t *testing.T) {
	w := newWorld(t)
	w.remove("olga", "/clients/acme", "")
	w.exec(`delete from client_portal_access where id = 'door'; delete from contacts where id = 'ben'; update deletions set purged = '{"contacts": 1, "portal-access": 1}', state = 'partial'`)
	id := w.ask(`select id from deletions`)
	a := w.post("olga", "/ui/trash/"+id+"/restore", nil)
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	assert.Contains(t, a.body, "gone for good")
	assert.Contains(t, w.get("olga", "/trash/"+id).body, "2 of its rows are gone for good")
	back := w.follow("olga", action(t, a.body, "Restore what is left"), url.Values{"acceptGaps": {"yes"}})
	assert.Contains(t, back.body, "“Acme” is back with 1 contact.")
}
