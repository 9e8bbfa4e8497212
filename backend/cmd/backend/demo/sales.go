package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// fill makes all rows, and says which of them are to go.
func (w *world) fill() {
	w.office()
	clients, contacts := w.clientele()
	deals := w.pipeline(clients, contacts)
	contracts := w.paperwork(deals)
	engagements := w.delivery(contracts)
	w.billing(engagements)
	w.goodbyes(clients, contacts, deals, engagements)
}

// office is the organization itself, its people and its roles.
func (w *world) office() {
	founded := w.ago(500, 0)
	w.rows = append(w.rows, &[]*store.Organization{{
		ID: w.id, Name: w.name, Slug: w.slug, Timezone: "UTC", Currency: w.currency, DateFormat: "YYYY-MM-DD", Language: "en",
		BusinessHours: document(map[string]string{"mon-fri": "09:00-17:00"}), CreatedAt: founded, UpdatedAt: founded,
	}})
	var members []*store.OrganizationMember
	for _, m := range w.members {
		members = append(members, &store.OrganizationMember{Row: w.row("members", Owner), UserID: userID(m.name), Role: string(m.role), CreatedAt: founded})
	}
	roles := []*store.NamedRole{
		{Row: w.row("roles", Owner), Name: "Manager", Description: new("Runs engagements from the offer to the last invoice"), IsDefault: new(false), CreatedAt: founded, UpdatedAt: founded},
		{Row: w.row("roles", Owner), Name: "Accountant", Description: new("Writes invoices and pays bills"), IsDefault: new(false), CreatedAt: founded, UpdatedAt: founded},
	}
	var assigned []*store.UserRole
	for i, m := range w.members[:min(len(w.members), 2)] {
		assigned = append(assigned, &store.UserRole{Row: w.row("user-roles", Owner), UserID: userID(m.name), RoleID: roles[i].ID, AssignedByID: new(userID(Owner)), AssignedAt: founded})
	}
	invited := w.ago(3, 2)
	invitations := []*store.Invitation{{
		Row: w.row("invitations", Owner), Email: "new.colleague@" + w.slug + ".example", RoleID: &roles[0].ID, Token: identify(w.slug, "invitation"), Status: "pending",
		InvitedByID: userID(Owner), ExpiresAt: *w.ahead(7, 0), CreatedAt: invited, UpdatedAt: invited,
	}}
	w.rows = append(w.rows, &members, &roles, &assigned, &invitations)
}

// clientele is clients, and who answers the telephone there.
func (w *world) clientele() (clients []*store.Client, contacts []*store.Contact) {
	for i := range w.clients {
		name, since := w.words.clients[i%len(w.words.clients)], w.ago(20+i*8, 6)
		by := w.author()
		site := strings.ToLower(strings.NewReplacer(" & ", "-", " ", "-").Replace(name)) + ".example"
		c := &store.Client{
			Row: w.row("clients", by), Name: name, Website: new("https://" + site), Industry: new(one(w, w.words.industries)),
			Address: new(fmt.Sprintf("%d Market Street", 1+w.random.IntN(180))), City: new(one(w, w.words.cities)),
			CreatedAt: since, UpdatedAt: since,
		}
		clients = append(clients, c)
		for n := range 1 + w.random.IntN(3) {
			given, family := one(w, firstNames), one(w, lastNames)
			met := since.AddDate(0, 0, n)
			contacts = append(contacts, &store.Contact{
				Row: w.row("contacts", by), ClientCompanyID: &c.ID, FirstName: given, LastName: family, Email: new(address(given, family, site)),
				Phone: new(fmt.Sprintf("+49 40 5550 %04d", w.random.IntN(10_000))), Title: new(one(w, titles)), IsPrimary: new(n == 0),
				CreatedAt: met, UpdatedAt: met,
			})
		}
	}
	w.rows = append(w.rows, &clients, &contacts)
	return clients, contacts
}

// address leaves out what an address has no letter for.
func address(given, family, site string) string {
	plain := strings.NewReplacer("ö", "o", "á", "a", "’", "").Replace
	return strings.ToLower(plain(given) + "." + plain(family) + "@" + site)
}

// stages are how far deals have come, and how often.
var (
	stages  = []string{"lead", "qualified", "proposal", "negotiation", "won", "lost"}
	chances = map[string]int32{"lead": 10, "qualified": 30, "proposal": 50, "negotiation": 75, "won": 100, "lost": 0}
)

// pipeline is what may be sold, in all stages.
func (w *world) pipeline(clients []*store.Client, contacts []*store.Contact) (deals []*store.Deal) {
	for i := range w.deals {
		client := clients[i%len(clients)]
		stage := stages[i%len(stages)]
		if i >= len(stages) {
			stage = weighted(w, map[string]int{"lead": 5, "qualified": 4, "proposal": 4, "negotiation": 3, "won": 6, "lost": 2}, stages)
		}
		by := w.author()
		opened := later(client.CreatedAt, w.ago(3, 90))
		d := &store.Deal{
			Row: w.row("deals", by), ClientCompanyID: &client.ID, ContactID: contactOf(client, contacts), OwnerID: userID(by),
			Name: client.Name + ": " + strings.ToLower(one(w, w.words.deals)), Value: new(decimal(w.money(2_000, 60_000))), Stage: stage,
			Probability: new(chances[stage]), CreatedAt: opened, UpdatedAt: opened,
		}
		if stage == "won" || stage == "lost" {
			d.ClosedAt = new(opened.AddDate(0, 0, 2))
			d.UpdatedAt = *d.ClosedAt
		} else {
			d.ExpectedCloseDate = w.ahead(5, 60)
		}
		deals = append(deals, d)
	}
	w.rows = append(w.rows, &deals)
	return deals
}

// paperwork is proposals of deals that got that far, and contracts of those that were won.
func (w *world) paperwork(deals []*store.Deal) (contracts []*store.Contract) {
	status := map[string]string{"proposal": "sent", "negotiation": "viewed", "won": "accepted", "lost": "rejected"}
	var proposals []*store.Proposal
	for _, d := range deals {
		if status[d.Stage] == "" {
			continue
		}
		sent := d.CreatedAt.Add(26 * time.Hour)
		p := &store.Proposal{
			Row: w.row("proposals", nameOf(w, d.OwnerID)), DealID: &d.ID, ClientCompanyID: d.ClientCompanyID, ContactID: d.ContactID, CreatedByID: d.OwnerID,
			Name: "Proposal for " + d.Name, Status: status[d.Stage], Content: document(map[string]any{"sections": []string{"Scope", "Timeline", "Price"}}),
			TotalValue: d.Value, ValidUntil: w.ahead(20, 20), SentAt: &sent, CreatedAt: d.CreatedAt, UpdatedAt: sent,
		}
		proposals = append(proposals, p)
		if d.Stage != "won" {
			continue
		}
		contracts = append(contracts, &store.Contract{
			Row: w.row("contracts", nameOf(w, d.OwnerID)), ProposalID: &p.ID, DealID: &d.ID, ClientCompanyID: d.ClientCompanyID, ContactID: d.ContactID,
			CreatedByID: d.OwnerID, Name: "Contract for " + d.Name, Status: "signed", Content: document(map[string]any{"clauses": 12}), TotalValue: d.Value,
			StartDate: d.ClosedAt, SignedAt: d.ClosedAt, SignedByName: new(one(w, firstNames) + " " + one(w, lastNames)), CreatedAt: *d.ClosedAt, UpdatedAt: *d.ClosedAt,
		})
	}
	w.rows = append(w.rows, &proposals, &contracts)
	return contracts
}

// goodbyes are the deletions, in the order in which they happen. A contact goes before its client, and
// stays behind when that comes back.
func (w *world) goodbyes(clients []*store.Client, contacts []*store.Contact, deals []*store.Deal, engagements []*store.Engagement) {
	gone := func(e *softdelete.Entity, id, by, reason string) {
		w.deletions = append(w.deletions, deletion{entity: e, id: id, by: by, role: w.role(by), reason: reason})
	}
	last := clients[len(clients)-1]
	gone(store.Contacts, *contactOf(last, contacts), Owner, "left the company")
	gone(store.Clients, last.ID, Owner, "duplicate")
	if w.role(Admin) != softdelete.Admin {
		return
	}
	gone(store.Engagements, engagements[len(engagements)-1].ID, Admin, "cancelled by the client")
	gone(store.Clients, clients[len(clients)-2].ID, Admin, "")
	taken := 0
	for _, d := range deals {
		if d.OwnerID == userID(Member) && d.Stage == "lead" && taken < 2 {
			gone(store.Deals, d.ID, Member, "no budget this year")
			taken++
		}
	}
}

// contactOf is the first person of a client.
func contactOf(client *store.Client, contacts []*store.Contact) *string {
	for _, c := range contacts {
		if *c.ClientCompanyID == client.ID {
			return &c.ID
		}
	}
	return nil
}

func nameOf(w *world, user string) string {
	for _, m := range w.members {
		if userID(m.name) == user {
			return m.name
		}
	}
	return Owner
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
