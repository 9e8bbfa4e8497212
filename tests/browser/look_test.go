package browser

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every page, light and dark, on a desk and on a phone: axe finds nothing, nothing is wider than the screen, and
// the browser has nothing to complain about.
func TestPages_everyLook(t *testing.T) {
	s := open(t)
	source := axe(t)
	// Words that nothing breaks by itself.
	long := strings.Repeat("Donaudampfschifffahrt", 9)
	s.exec(`update client_companies set name = '` + long + `', website = 'https://` + long + `.example', notes = '` + long + `' where id = 'c28'; update contacts set client_company_id = 'c28', last_name = left('` + long + `', 100), email = '` + long + `@example.com' where id = 'k20'`)
	s.exec(`update invoices set status = 'paid', total_amount = 1900, notes = 'Paid at last.', line_items = '[{"description":"Design","hours":20,"rate":"60.00"}]' where id = 'i2';
		update invoices set line_items = '{"rounded": true}' where id = 'i2'; update deals set stage = 'won', contact_id = null, client_company_id = 'c5', value = 99999.5 where id = 'd2'`)
	b := s.open(true)
	b.signIn("olivia")
	b.visit("/clients/c3/delete")
	b.leads(b.press("#ask button"))
	b.visit("/deals/d5/delete")
	b.leads(b.press("#ask button"))
	pages := []struct{ name, path string }{
		{"home", "/"}, {"clients", "/clients"}, {"clients-none", "/clients?q=nobody"}, {"clients-older", ""}, {"client", "/clients/c1"}, {"client-edit", "/clients/c1/edit"},
		{"client-new", "/new/clients"}, {"client-delete", "/clients/c2/delete"}, {"client-long", "/clients/c28"}, {"client-long-delete", "/clients/c28/delete"}, {"contact-long-edit", "/contacts/k20/edit"}, {"contacts", "/contacts"}, {"contact", "/contacts/k1"}, {"contact-new", "/new/contacts?clientCompanyId=c1"}, {"deals", "/deals"}, {"deals-of-client", "/deals?clientCompanyId=c2&stage=won"}, {"deal", "/deals/d2"},
		{"deal-edit", "/deals/d2/edit"}, {"engagement", "/engagements/e1"}, {"invoices", "/invoices"}, {"invoice", "/invoices/i2"}, {"invoice-edit", "/invoices/i2/edit"}, {"invoice-new", "/new/invoices"},
		{"members", "/members"}, {"member", "/members/m3"}, {"tasks", "/tasks"}, {"portal-access", "/portal-access"}, {"settings", "/settings"}, {"settings-edit", "/organizations/north/edit"}, {"close", "/organizations/north/delete"},
		{"trash", "/trash"}, {"deletion", "deletion"}, {"trashed", "/trash/rows/clients/c3"}, {"deal-history", "/deals/d2/history"}, {"invoice-history", "/invoices/i2/history"}, {"trashed-history", "/clients/c3/history"}, {"client-long-history", "/clients/c28/history"}, {"portal-access-history", "/portal-access/door1/history"},
		{"switch", "/switch"}, {"absent", "/clients/absent"},
	}
	b.visit("/trash")
	deletion := strings.TrimPrefix(b.attribute(`a[href^="/trash/"]:not([href*="?"])`, "href"), s.url)
	judged, rules := 0, 0
	for _, page := range pages {
		switch page.path {
		case "deletion":
			b.visit(deletion)
		case "":
			b.visit("/clients")
			b.visit(b.attribute(`a[rel="next"]`, "href"))
		default:
			b.visit(page.path)
		}
		for _, l := range looks {
			b.use(l)
			name := page.name + "-" + l.name
			options := allRules
			if l.dark { // the same page in other colours
				options = colourRules
			}
			rules += b.judge(source, name, options)
			judged++
			assert.LessOrEqual(t, b.number(`document.documentElement.scrollWidth`), int(l.width), "%s is wider than the screen", name)
			b.screenshot(name)
		}
	}
	t.Logf("axe judged %d pages, %d rules passed", judged, rules)
	b.quiet()
}
