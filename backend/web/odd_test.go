package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ids are any text, and addresses that mean nothing are answered as such.
func TestPages_oddAddresses(t *testing.T) {
	w := newWorld(t)
	const odd = "a/b c?d#é%"
	w.exec(`insert into client_companies (id, organization_id, name, created_by) values ('` + odd + `', 'o1', 'Odd one', 'olga')`)
	link := regexp.MustCompile(`href="(/clients/a[^"]+)">Odd one`).FindStringSubmatch(w.get("olga", "/clients").body)
	require.NotNil(t, link)
	page := w.get("olga", unescape(link[1]))
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, w.get("olga", unescape(regexp.MustCompile(`href="([^"]+/history)"`).FindStringSubmatch(page.body)[1])).body, "History of Odd one")
	w.remove("olga", unescape(link[1]), "")
	w.follow("olga", "/ui"+unescape(link[1])+"/restore", url.Values{})

	for path, status := range map[string]int{
		"/clients/%00": 404, "/clients/%ff": 404, "/clients/%00/edit": 404, "/clients/%ff/delete": 404, "/clients/%00/history": 404, "/clients/acme/history?cursor=x": 422, "/clients/" + strings.Repeat("x", 5000): 404,
		"/trash/none": 404, "/trash/0193f000-0000-7000-8000-000000000000": 404, "/trash/rows/clients/%00": 404, "/nothing": 404, "/clients/acme/more": 404, "/assets/none": 404,
		"/clients?cursor=x": 422, "/trash?cursor=x": 422, "/deals?stage=sold": 400, "/clients?q=%00": 400, "/contacts?clientCompanyId=%ff": 400, "/clients?q=%25_%27%22%5c": 200, "/clients?nothing=1": 200,
		"/trash?q=%00": 400, "/trash?deletedBy=%00": 400, "/clients?deletion=x&notice=x": 200, "/clients?deletion=0193f000-0000-7000-8000-000000000000": 200,
	} {
		a := w.get("olga", path)
		assert.Equal(t, status, a.StatusCode, path)
		assert.NotContains(t, a.body, "went wrong", path)
	}
	for path, status := range map[string]int{
		"/ui/clients/%00": 404, "/ui/clients/%ff/delete": 404, "/ui/clients/%00/restore": 404, "/ui/trash/none/restore": 404, "/ui/nothing": 404,
	} {
		assert.Equal(t, status, w.post("olga", path, url.Values{"version": {"1"}, "name": {"x"}, "was.name": {"y"}}).StatusCode, path)
	}
	large := w.post("olga", "/ui/clients", url.Values{"name": {strings.Repeat("x", maxForm)}})
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.StatusCode)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post("olga", "/ui/clients", url.Values{"name": {"a\x00b"}}).StatusCode)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post("olga", "/ui/clients", url.Values{"name": {"a\xffb"}}).StatusCode)
	for _, person := range []string{"a\x00b", "a\xffb"} {
		assert.Equal(t, http.StatusUnprocessableEntity, w.post("olga", "/ui/deals", url.Values{"name": {"x"}, "stage": {"lead"}, "ownerId": {person}}).StatusCode, "%q", person)
		assert.Equal(t, http.StatusUnprocessableEntity, w.post("olga", "/ui/user-roles", url.Values{"userId": {person}, "roleId": {"x"}}).StatusCode, "%q", person)
	}
}

// A refused form leaves its own address in the browser. Asked for, it leads to the page it is about.
func TestPages_afterARefusedForm(t *testing.T) {
	w := newWorld(t)
	for from, to := range map[string]string{
		"/ui/clients": "/new/clients", "/ui/clients/acme": "/clients/acme", "/ui/clients/a%2Fb/delete": "/clients/a%2Fb/delete",
		"/ui/clients/acme/restore": "/trash", "/ui/trash/restore": "/trash", "/ui/switch": "/switch",
	} {
		a := w.get("olga", from)
		assert.Equal(t, http.StatusSeeOther, a.StatusCode, from)
		assert.Equal(t, to, a.Header.Get("Location"), from)
	}
	assert.Equal(t, "/ui/evil.example/x/", w.get("olga", "/ui//evil.example/x/").Header.Get("Location"), "never to another site")
}

func TestList_leadsBackAndForth(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into client_companies (id, organization_id, name, country, created_at) select 'n' || n, 'o1', 'Number ' || n, 'XX', now() - n * interval '1 second' from generate_series(1, 90) n`)
	next := func(page answered, rel string) answered {
		t.Helper()
		m := regexp.MustCompile(`href="([^"]+)" rel="` + rel + `"`).FindStringSubmatch(page.body)
		require.NotNil(t, m, rel)
		return w.get("olga", unescape(m[1]))
	}
	names := func(page answered) []string {
		var all []string
		for _, m := range regexp.MustCompile(`>(Number \d+)<`).FindAllStringSubmatch(page.body, -1) {
			all = append(all, m[1])
		}
		return all
	}
	first := w.get("olga", "/clients?country=XX")
	assert.Contains(t, first.body, "90 found")
	second := next(first, "next")
	third := next(second, "next")
	fourth := next(third, "next")
	assert.Len(t, names(first), 25)
	assert.Len(t, names(fourth), 15)
	assert.NotContains(t, fourth.body, `rel="next"`)
	assert.Equal(t, names(third), names(next(fourth, "prev")))
	assert.Equal(t, names(second), names(next(next(fourth, "prev"), "prev")))
	assert.Equal(t, names(first), names(next(next(next(fourth, "prev"), "prev"), "prev")))
	assert.Equal(t, "Number 51", names(third)[0])
}

// However often a form for a new row is sent, it makes one.
func TestCreate_makesOneOfADoubleClick(t *testing.T) {
	w := newWorld(t)
	form := fill(t, w.get("olga", "/new/clients").body, map[string]string{"name": "Once"})
	require.NotEmpty(t, form.Get("once"))
	first, second := w.post("olga", "/ui/clients", form), w.post("olga", "/ui/clients", form)
	assert.Equal(t, http.StatusSeeOther, second.StatusCode)
	assert.Equal(t, first.Header.Get("Location"), second.Header.Get("Location"))
	form.Set("name", "Twice")
	w.follow("olga", "/ui/clients", form)
	assert.Equal(t, "1|1", w.ask(`select count(*) filter (where name = 'Once') || '|' || count(*) filter (where name = 'Twice') from client_companies`))
}

func TestAssets_areKeptForEver(t *testing.T) {
	w := newWorld(t)
	page := w.get("olga", "/").body
	for _, m := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		a := w.get("olga", m[1])
		assert.Equal(t, http.StatusOK, a.StatusCode, m[1])
		assert.Equal(t, "public, max-age=31536000, immutable", a.Header.Get("Cache-Control"))
		assert.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
	}
	assert.Equal(t, "image/svg+xml", w.get("olga", "/favicon.ico").Header.Get("Content-Type"))
}
