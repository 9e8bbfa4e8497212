package web

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// everyPage are the addresses of all pages for the rows of the world, of each kind.
func everyPage(w *world) []string {
	paths := []string{"/", "/settings", "/switch", "/trash"}
	ids := map[string]string{
		"clients": "acme", "contacts": "ann", "deals": "rocket", "engagements": "launch", "invoices": "inv1", "payments": "pay1",
		"roles": "r1", "members": "m-mia", "portal-access": "door", "organizations": "o1",
	}
	for _, e := range w.pages.entities {
		paths = append(paths, "/"+e.Kind)
		if !e.Root {
			paths = append(paths, "/new/"+e.Kind)
		}
		if id := ids[e.Kind]; id != "" {
			paths = append(paths, rowPath(e, id), rowPath(e, id)+"/edit", rowPath(e, id)+"/delete", rowPath(e, id)+"/history")
		}
	}
	return paths
}

// Every page is shown to every role or refused by a page, is well formed, and has nothing of the other
// organization.
func TestPages_everyPageToEveryRole(t *testing.T) {
	w := newWorld(t)
	for _, path := range everyPage(w) {
		for _, person := range []string{"olga", "adam", "mia", "vic"} {
			a := w.get(person, path)
			name := fmt.Sprintf("%s as %s", path, person)
			allowed := []int{http.StatusOK, http.StatusForbidden}
			assert.Contains(t, allowed, a.StatusCode, name)
			if person == "olga" {
				assert.Equal(t, http.StatusOK, a.StatusCode, name)
			}
			assert.NoError(t, wellFormed(a.body), name)
			assert.NotContains(t, strings.ToLower(a.body), "foreign", name)
			assert.NotContains(t, a.body, "secret-token", name)
			assert.NotRegexp(t, `(?i)<[^>]+\s(style|on[a-z]+|hx-on[^=]*)=`, a.body, name)
			assert.NotRegexp(t, `<script>|<style|javascript:`, a.body, name)
			assert.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'", name)
			assert.Equal(t, "private, no-store", a.Header.Get("Cache-Control"), name)
		}
	}
}

// wellFormed checks that what is opened is closed, in order, and that no id is given twice.
func wellFormed(page string) error {
	void := []string{"meta", "link", "input", "br", "img", "hr"}
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict = false
	decoder.Entity = xml.HTMLEntity
	var open []string
	ids := map[string]bool{}
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch tag := token.(type) {
		case xml.StartElement:
			for _, attr := range tag.Attr {
				if attr.Name.Local == "id" {
					if ids[attr.Value] {
						return fmt.Errorf("the id %q is there twice", attr.Value)
					}
					ids[attr.Value] = true
				}
			}
			if !slices.Contains(void, tag.Name.Local) {
				open = append(open, tag.Name.Local)
			}
		case xml.EndElement:
			if slices.Contains(void, tag.Name.Local) {
				continue
			}
			if len(open) == 0 || open[len(open)-1] != tag.Name.Local {
				return fmt.Errorf("</%s> closes nothing, open are %v", tag.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("never closed: %v", open)
	}
	return nil
}

// A viewer is offered nothing that changes anything; a member what is its own.
func TestPages_offerWhatTheRoleMayDo(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/clients", "/clients/acme", "/deals", "/deals/rocket", "/members", "/settings"} {
		page := w.get("vic", path).body
		assert.NotRegexp(t, `>\s*(Delete|Edit|Add)\b`, page, path)
		assert.NotContains(t, page, `href="/trash"`, path)
	}
	assert.Equal(t, http.StatusForbidden, w.get("vic", "/trash").StatusCode)
	assert.Equal(t, http.StatusForbidden, w.get("vic", "/new/clients").StatusCode)
	assert.Equal(t, http.StatusForbidden, w.get("vic", "/clients/acme/edit").StatusCode)
	assert.Equal(t, http.StatusForbidden, w.get("vic", "/clients/acme/delete").StatusCode)

	assert.Contains(t, w.get("mia", "/clients/acme").body, `href="/clients/acme/edit"`)
	assert.NotContains(t, w.get("mia", "/clients/blue").body, `href="/clients/blue/edit"`, "it is Olga's")
	assert.Contains(t, w.get("mia", "/clients").body, `href="/new/clients"`)
	assert.NotContains(t, w.get("mia", "/members").body, `href="/new/members"`)
	assert.Contains(t, w.get("adam", "/members/m-mia").body, `href="/members/m-mia/edit"`)
	assert.NotContains(t, w.get("adam", "/members/m-olga").body, `href="/members/m-olga/edit"`, "only an owner changes an owner")
}

// What is another organization's is not there, exactly as what never was.
func TestPages_foreignRowsAreNotThere(t *testing.T) {
	w := newWorld(t)
	same := func(person, method, foreign, absent string, form url.Values) {
		t.Helper()
		first, second := w.do(person, method, foreign, form), w.do(person, method, absent, form)
		assert.Equal(t, second.StatusCode, first.StatusCode, foreign)
		assert.Equal(t, second.body, strings.ReplaceAll(first.body, "foreign-c", "absent-c"), foreign)
		assert.Contains(t, []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusForbidden}, first.StatusCode, foreign)
	}
	for _, person := range []string{"olga", "mia", "vic"} {
		for _, tail := range []string{"", "/edit", "/delete", "/history"} {
			same(person, http.MethodGet, "/clients/foreign-c"+tail, "/clients/absent-c"+tail, nil)
		}
		same(person, http.MethodGet, "/trash/rows/clients/foreign-c", "/trash/rows/clients/absent-c", nil)
		same(person, http.MethodPost, "/ui/clients/foreign-c", "/ui/clients/absent-c", url.Values{"version": {"1"}, "name": {"Mine"}, "was.name": {"Theirs"}})
		same(person, http.MethodPost, "/ui/clients/foreign-c/delete", "/ui/clients/absent-c/delete", url.Values{"version": {"1"}})
		same(person, http.MethodPost, "/ui/clients/foreign-c/restore", "/ui/clients/absent-c/restore", url.Values{})
	}
	var names []string
	for _, choice := range regexp.MustCompile(`value="([^"]*)"`).FindAllStringSubmatch(w.get("olga", "/new/contacts?clientCompanyId=foreign-c").body, -1) {
		names = append(names, choice[1])
	}
	assert.Contains(t, names, "acme")
	assert.NotContains(t, names, "foreign-c")
	a := w.post("olga", "/ui/contacts", url.Values{"firstName": {"A"}, "lastName": {"B"}, "clientCompanyId": {"foreign-c"}})
	assert.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.Contains(t, a.body, "This one is not there any more.")
	assert.NotContains(t, a.body, "Foreign Client")
}

// Text that tries to be markup is shown as the text that it is, in every field of every kind.
func TestPages_showMarkupAsText(t *testing.T) {
	w := newWorld(t)
	const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script>{{.}}`
	plant := func(sql string) {
		t.Helper()
		w.exec(strings.ReplaceAll(sql, "$1", "$attack$"+attack+"$attack$"))
	}
	plant(`update organizations set name = $1, logo = $1, date_format = left($1, 20), business_hours = to_jsonb($1::text) where id = 'o1'`)
	plant(`update users set first_name = $1, last_name = $1 where id in ('mia', 'olga')`)
	plant(`update client_companies set name = $1, website = 'javascript:alert(1)', industry = $1, address = $1, city = $1, state = $1, country = $1, notes = $1 where organization_id = 'o1'`)
	plant(`update contacts set first_name = $1, last_name = $1, email = $1, phone = left($1, 50), title = $1, notes = $1 where organization_id = 'o1'`)
	plant(`update deals set name = $1, description = $1, notes = $1 where organization_id = 'o1'`)
	plant(`update engagements set name = $1, description = $1 where organization_id = 'o1'`)
	plant(`update invoices set invoice_number = left($1, 50), notes = $1, line_items = jsonb_build_array(jsonb_build_object($1::text, $1::text)) where organization_id = 'o1'`)
	plant(`update payments set payment_method = left($1, 50), reference_number = $1, notes = $1 where organization_id = 'o1'`)
	plant(`update roles set name = $1, description = $1 where organization_id = 'o1'`)
	deleted := w.post("olga", "/ui/deals/rocket/delete", url.Values{"version": {"3"}, "reason": {attack}})
	for v := 1; deleted.StatusCode != http.StatusSeeOther && v < 9; v++ {
		deleted = w.post("olga", "/ui/deals/rocket/delete", url.Values{"version": {fmt.Sprint(v)}, "reason": {attack}})
	}
	require.Equal(t, http.StatusSeeOther, deleted.StatusCode)
	id := strings.TrimPrefix(deleted.Header.Get("Location"), "/deals?deletion=")
	paths := append(everyPage(w), "/clients?q="+url.QueryEscape(attack), "/clients?industry="+url.QueryEscape(attack), "/deals?clientCompanyId="+url.QueryEscape(attack),
		"/new/deals?clientCompanyId="+url.QueryEscape(attack)+"&find.contactId="+url.QueryEscape(attack), "/trash?q="+url.QueryEscape(attack)+"&kind="+url.QueryEscape(attack),
		deleted.Header.Get("Location"), "/trash/"+id, "/trash/rows/deals/rocket", "/deals/rocket/history", "/clients?notice="+url.QueryEscape(attack))
	found := false
	for _, path := range paths {
		a := w.get("olga", path)
		assert.NotContains(t, a.body, "<img", path)
		assert.NotContains(t, a.body, "<script>", path)
		assert.NotContains(t, a.body, `href="javascript`, path)
		assert.NoError(t, wellFormed(a.body), path)
		found = found || strings.Contains(a.body, "&lt;img src=x onerror=alert(1)&gt;")
	}
	assert.True(t, found, "the attack was shown somewhere, as text")
	a := w.post("olga", "/ui/clients", url.Values{"name": {""}, "notes": {attack}, "website": {attack}, "find.x": {attack}})
	assert.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	assert.NotContains(t, a.body, "<img")
	assert.NoError(t, wellFormed(a.body))
}

// Nothing is changed for a page of another site, nor by GET.
func TestPages_refuseOtherSites(t *testing.T) {
	w := newWorld(t)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}} {
		a := w.post("olga", "/ui/clients", url.Values{"name": {"Planted"}}, header...)
		assert.Equal(t, http.StatusForbidden, a.StatusCode)
		assert.Contains(t, a.body, "Another site asked your browser")
	}
	for _, path := range []string{"/ui/clients", "/ui/clients/acme", "/ui/clients/acme/delete", "/ui/switch", "/ui/trash/restore"} {
		a := w.get("olga", path)
		assert.Contains(t, []int{http.StatusSeeOther}, a.StatusCode, path)
	}
	assert.NotContains(t, w.get("olga", "/clients").body, "Planted")
}

func TestNew_refusesOriginsThatAreNone(t *testing.T) {
	for _, origin := range []string{"login.example.com", "https://login.example.com/path", "https://a; script-src *", "javascript://x", "https://*"} {
		_, err := contentPolicy([]string{origin})
		assert.Error(t, err, origin)
	}
	policy, err := contentPolicy([]string{"https://login.example.com"})
	require.NoError(t, err)
	assert.Contains(t, policy, "form-action 'self' https://login.example.com;")
}

// Every error that the store tells of has its page.
func TestJudge_hasWordsForEveryCode(t *testing.T) {
	for _, err := range []error{
		softdelete.ErrNotFound, softdelete.ErrForbidden, softdelete.ErrVersion, softdelete.ErrNotDeleted, softdelete.ErrTooLarge, softdelete.ErrLastOwner, softdelete.ErrCursor,
		&softdelete.ConflictError{}, &softdelete.FieldError{}, store.ErrNoAccount, store.ErrAmbiguousAccount, store.ErrNoOrganization, store.ErrClosed, &store.ChooseError{},
		store.ErrUnavailable, errors.New("another"),
	} {
		o := judge(err)
		text := problemTexts[o.code]
		assert.NotEmpty(t, text.Title, o.code)
		assert.NotEmpty(t, text.Text, o.code)
		assert.GreaterOrEqual(t, o.status, 400)
	}
	for _, code := range []string{"cross_origin", "unauthorized", "bad_form", "too_large_form"} {
		assert.NotEmpty(t, problemTexts[code].Text, code)
	}
}

// Who has not signed in, and who cannot be known, sees a page.
func TestRefuse(t *testing.T) {
	w := newWorld(t)
	for status, text := range map[int]string{http.StatusUnauthorized: "You are not signed in", http.StatusServiceUnavailable: "not available for a moment"} {
		recorder := httptest.NewRecorder()
		w.pages.Refuse(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clients", http.NoBody), status)
		assert.Equal(t, status, recorder.Code)
		assert.Contains(t, recorder.Body.String(), text)
		assert.NoError(t, wellFormed(recorder.Body.String()))
		assert.NotContains(t, recorder.Body.String(), "Sign out")
	}
}
