package browser

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eventually waits until a script's expression is true.
func (b *tab) eventually(expression, what string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && ok
	}, 20*time.Second, 50*time.Millisecond, what)
}

// Somebody signs in, looks for a client while typing, edits it, deletes it by the dialog, and takes it back.
func TestStory_withScripts(t *testing.T) {
	s := open(t)
	b := s.open(true)
	b.use(desk)
	b.signIn("olivia")
	require.Equal(t, "/", b.path())
	assert.Equal(t, "Northwind Studio", b.text("h1"))

	b.leads(b.press(`nav a[href="/clients"]`))
	b.do(chromedp.SendKeys("#q", "rocket"))
	b.eventually(`document.querySelectorAll("#results tbody tr").length === 1`, "the list follows what is typed")
	assert.Equal(t, "/clients?q=rocket&industry=&country=", b.path(), "and so does the address")
	b.eventually(`document.getElementById("announce").textContent === "1 found"`, "and it is said")
	b.leads(b.press("#results tbody a"))
	assert.Equal(t, "Acme Rockets", b.text("h1"))

	b.leads(chromedp.Click(`a[href="/clients/c1/edit"]`))
	b.do(chromedp.SetValue("#field-city", "Potsdam"))
	b.leads(b.press(`form .actions button`))
	assert.Contains(t, b.text("main"), "Your changes are saved.")
	assert.Contains(t, b.text("main"), "Potsdam")
	b.eventually(`location.search === ""`, "a reload does not tell it again")

	opener := `.head .actions a[href="/clients/c1/delete"]`
	b.do(chromedp.Click(opener))
	b.eventually(`document.getElementById("dialog").open`, "the preview opens over the page")
	assert.Equal(t, "/clients/c1", b.path())
	assert.Contains(t, b.text("#dialog"), "1 contact")
	b.screenshot("dialog-desk")
	b.judge(axe(t), "dialog", allRules)
	b.do(chromedp.KeyEvent("\x1b"))
	b.eventually(`!document.getElementById("dialog").open && document.activeElement.matches('`+opener+`')`, "Escape closes it, and leads back to where one was")
	b.do(chromedp.Click(opener), chromedp.WaitVisible("#dialog #reason"), chromedp.SendKeys("#dialog #reason", "twice in the list"))
	b.leads(chromedp.Click("#dialog .button.danger"))
	assert.Contains(t, b.text(".toast"), "“Acme Rockets” is in the Trash with 1 contact and 1 portal access.")
	b.eventually(`document.getElementById("announce").textContent.includes("is in the Trash")`, "it is said")
	b.screenshot("toast-desk")
	b.judge(axe(t), "toast", allRules)
	b.use(phone)
	b.screenshot("toast-phone")
	b.judge(axe(t), "toast on a phone", allRules)
	b.use(desk)
	b.leads(chromedp.Click(".toast button"))
	assert.Equal(t, "Acme Rockets", b.text("h1"))
	assert.Contains(t, b.text(".notice"), "“Acme Rockets” is back with 1 contact and 1 portal access.")
	b.screenshot("undone-desk")

	b.visit("/new/deals")
	b.do(chromedp.SendKeys("#field-name", "Typed before"), chromedp.SendKeys("#field-expectedCloseDate", "12312026"), chromedp.SendKeys("#field-value", "much"))
	require.Equal(t, int64(http.StatusUnprocessableEntity), b.leads(b.press(`form .actions button`)))
	b.eventually(`document.activeElement.matches(".alert")`, "what is wrong has the focus")
	b.screenshot("wrong-desk")
	b.judge(axe(t), "a form with a problem", allRules)
	assert.Equal(t, "Typed before", get(b, chromedp.Value("#field-name")))

	// With the keyboard: past the navigation, and through a dialog that keeps the focus.
	b.visit("/clients/c2")
	b.do(chromedp.KeyEvent("\t"))
	assert.Equal(t, "Skip to the content", get(b, chromedp.Evaluate[string](`document.activeElement.textContent`)))
	b.do(chromedp.KeyEvent("\r"))
	b.eventually(`document.activeElement.id === "main"`, "the content has the focus")
	b.use(phone)
	b.do(chromedp.Focus(`.head .actions .danger-text`), chromedp.KeyEvent("\r"), chromedp.WaitVisible("#dialog #reason"))
	b.screenshot("dialog-phone")
	b.judge(axe(t), "dialog on a phone", allRules)
	assert.True(t, get(b, chromedp.Evaluate[bool](`document.getElementById("dialog").contains(document.activeElement)`)))
	b.do(chromedp.Click("#dialog [data-close]"))
	b.eventually(`!document.getElementById("dialog").open`, "Cancel closes it, and leads nowhere")
	assert.Equal(t, "/clients/c2#main", b.path())
	b.use(desk)

	// A picker offers what is typed into its search, from among all.
	s.exec(`insert into client_companies (id, organization_id, name, created_at) select 'many' || n, 'north', 'Many ' || n, now() + n * interval '1 second' from generate_series(1, 60) n`)
	b.visit("/new/contacts")
	assert.Equal(t, 51, b.number(`document.querySelectorAll("#field-clientCompanyId option").length`))
	b.do(chromedp.SendKeys("#field-firstName", "Sam"), chromedp.SendKeys("#field-lastName", "Sanders"), chromedp.SendKeys("#field-clientCompanyId-find", "Zephyr"))
	b.eventually(`document.querySelectorAll("#field-clientCompanyId option").length === 2`, "the newest fifty give way to what was found")
	b.screenshot("picker-desk")
	b.do(chromedp.SetValue("#field-clientCompanyId", "c26"))
	b.leads(b.press(`form .actions button`))
	assert.Equal(t, "Sam Sanders", b.text("h1"))
	assert.Contains(t, b.text("main"), "Zephyr Sails")
	b.quiet()
}

// The same without scripts, and what is in the way of a restore.
func TestStory_withoutScripts(t *testing.T) {
	s := open(t)
	b := s.open(false)
	b.use(desk)
	b.signIn("olivia")
	b.leads(b.press(`nav a[href="/clients"]`))
	b.do(chromedp.SendKeys("#q", "rocket"))
	b.leads(b.press(".search button"))
	assert.Contains(t, b.text("#results"), "1 found")
	b.leads(b.press("#results tbody a"))
	b.leads(b.press(`a[href="/clients/c1/edit"]`))
	b.do(chromedp.SetValue("#field-city", "Potsdam"))
	b.leads(b.press(`form .actions button`))
	assert.Contains(t, b.text("main"), "Your changes are saved.")

	b.leads(b.press(`.head .actions a[href="/clients/c1/delete"]`))
	assert.Equal(t, "/clients/c1/delete", b.path())
	b.do(chromedp.SendKeys("#reason", "twice in the list"))
	b.leads(b.press("#ask .button.danger"))
	assert.Contains(t, b.text(".toast"), "“Acme Rockets” is in the Trash")
	b.screenshot("banner-desk")
	b.leads(b.press(".toast button"))
	assert.Contains(t, b.text(".notice"), "“Acme Rockets” is back")

	b.visit("/roles/r1/delete")
	b.leads(b.press("#ask .button.danger"))
	b.visit("/new/roles")
	b.do(chromedp.SendKeys("#field-name", "Manager"))
	b.leads(b.press(`form .actions button`))
	b.visit("/trash")
	require.Equal(t, int64(http.StatusConflict), b.leads(b.press(".rows .act button")))
	assert.Contains(t, b.text("main"), "The role “Manager” cannot come back: meanwhile there is another one with the same name.")
	b.screenshot("conflict-desk")
	b.use(phone)
	b.screenshot("conflict-phone")
	b.leads(b.press(".reasons a"))
	assert.Equal(t, "Manager", b.text("h1"))

	// The menu of a phone is a part of the page.
	b.do(chromedp.Click(".menu-link"))
	assert.Contains(t, b.path(), "#menu")
	b.screenshot("menu-phone")
	b.leads(b.press(`#menu a[href="/deals"]`))
	assert.Equal(t, "Deals", b.text("h1"))

	b.do(chromedp.Click(".account summary"))
	b.leads(b.press(`.account-card form button`))
	assert.NotContains(t, b.path(), "/deals", "signed out, at the provider too")
}

// Two people at two browsers edit one deal.
func TestStory_twoPeople(t *testing.T) {
	s := open(t)
	olivia, mia := s.open(true), s.open(true)
	olivia.signIn("olivia")
	mia.signIn("mia")
	olivia.visit("/deals/d2/edit")
	mia.visit("/deals/d2/edit")
	mia.do(chromedp.SetValue("#field-name", "Webshop, by Mia"))
	mia.leads(mia.press(`form .actions button`))
	olivia.do(chromedp.SetValue("#field-name", "Webshop, by Olivia"))
	require.Equal(t, int64(http.StatusPreconditionFailed), olivia.leads(olivia.press(`form .actions button`)))
	assert.Contains(t, olivia.text("main"), "Somebody else has changed this while you were editing")
	olivia.use(desk)
	olivia.screenshot("changed-desk")
	olivia.judge(axe(t), "changed meanwhile", allRules)
	olivia.use(phone)
	olivia.screenshot("changed-phone")
	olivia.judge(axe(t), "changed meanwhile, on a phone", allRules)
	olivia.leads(olivia.press(`form .actions button`))
	assert.Equal(t, "Webshop, by Olivia Negotiation", olivia.text("h1"))

	viktor := s.open(true)
	viktor.signIn("viktor")
	viktor.visit("/deals/d2")
	assert.NotContains(t, viktor.text("main"), "Edit")
	require.Equal(t, int64(http.StatusForbidden), viktor.visit("/deals/d2/edit"))
	viktor.use(desk)
	viktor.screenshot("forbidden-desk")
	viktor.judge(axe(t), "forbidden", allRules)

	olivia.visit("/organizations/north/delete")
	require.Equal(t, int64(http.StatusForbidden), olivia.leads(olivia.press("#ask .button.danger")))
	assert.Equal(t, "Northwind Studio is closed", olivia.text("h1"))
	olivia.screenshot("closed-phone")
	olivia.judge(axe(t), "closed", allRules)
	require.Equal(t, int64(http.StatusForbidden), viktor.visit("/deals/d2"))
	assert.Contains(t, viktor.text("main"), "This organization is closed")
	olivia.leads(olivia.press("main form button"))
	assert.Equal(t, "Northwind Studio", olivia.text("h1"))

	nora := s.open(true)
	nora.signIn("nora")
	assert.Contains(t, nora.text("main"), "There is no account for you here")
	nora.use(desk)
	nora.screenshot("no-account-desk")
	nora.judge(axe(t), "no account", allRules)

	adam := s.open(true)
	adam.signIn("adam")
	assert.Contains(t, adam.text("main"), "Choose an organization")
	adam.use(desk)
	adam.screenshot("choose-desk")
	adam.judge(axe(t), "choose", allRules)
	adam.leads(adam.press(`button[value="north"]`))
	assert.Equal(t, "Northwind Studio", adam.text("h1"))
}
