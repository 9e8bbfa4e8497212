package demo

import (
	"fmt"
	"time"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// delivery is the work on what was sold, with all that belongs to it.
func (w *world) delivery(contracts []*store.Contract) (engagements []*store.Engagement) {
	var projects []*store.Project
	var milestones []*store.Milestone
	var tasks []*store.Task
	var files []*store.File
	var threads []*store.Thread
	var messages []*store.Message
	var access []*store.PortalAccess
	template := &store.ProjectTemplate{
		Row: w.row("project-templates", Owner), Name: "Standard project", Description: new("What most projects begin with"), IsDefault: new(true),
		TasksTemplate: document(w.words.tasks[:3]), MilestonesTemplate: document(w.words.milestones), CreatedAt: w.ago(400, 0), UpdatedAt: w.ago(400, 0),
	}
	for i, c := range contracts[:min(len(contracts), w.organization.engagements)] {
		by, began := nameOf(w, c.CreatedByID), *c.SignedAt
		e := &store.Engagement{
			Row: w.row("engagements", by), ContractID: &c.ID, DealID: c.DealID, ClientCompanyID: c.ClientCompanyID, ContactID: c.ContactID, OwnerID: c.CreatedByID,
			Name: fmt.Sprintf("%s %d", one(w, w.words.engagements), i+1), Status: []string{"active", "active", "active", "on_hold", "completed"}[i%5],
			StartDate: &began, EndDate: w.ahead(30, 60), TotalValue: c.TotalValue, CreatedAt: began, UpdatedAt: began,
		}
		engagements = append(engagements, e)
		for n := range 1 + i%2 {
			p := &store.Project{
				Row: w.row("projects", by), EngagementID: e.ID, TemplateID: &template.ID, Name: w.words.projects[(i+n)%len(w.words.projects)],
				Status: []string{"in_progress", "not_started"}[n], StartDate: &began, DueDate: w.ahead(10, 40), Progress: new(int32(20 * (i % 5))), CreatedAt: began, UpdatedAt: began,
			}
			projects = append(projects, p)
			var marks []*store.Milestone
			for k, name := range w.words.milestones {
				marks = append(marks, &store.Milestone{Row: w.row("milestones", by), ProjectID: p.ID, Name: name, DueDate: w.ahead(5+10*k, 5), SortOrder: new(int32(k)), CreatedAt: began})
			}
			milestones = append(milestones, marks...)
			tasks = append(tasks, w.tasksOf(p, marks, by)...)
		}
		files = append(files, &store.File{
			Row: w.row("files", by), EngagementID: &e.ID, UploadedByID: e.OwnerID, Name: "Briefing.pdf", OriginalName: "briefing-final-2.pdf", MimeType: new("application/pdf"),
			Size: new(int32(80_000 + w.random.IntN(900_000))), Path: "/" + w.slug + "/" + e.ID + "/briefing.pdf", Folder: new("/"), IsClientVisible: new(true), CreatedAt: began,
		})
		t := &store.Thread{
			Row: w.row("threads", by), EngagementID: e.ID, Type: []string{"client", "internal"}[i%2], Subject: w.words.threads[i%len(w.words.threads)],
			CreatedByID: e.OwnerID, CreatedAt: began,
		}
		for n := range 2 + i%3 {
			at := began.Add(time.Duration(n+1) * 20 * time.Hour)
			sender := w.author()
			messages = append(messages, &store.Message{
				Row: w.row("messages", sender), ThreadID: t.ID, SenderID: userID(sender), SenderName: new(sender), Content: one(w, w.words.messages), CreatedAt: at,
			})
			t.LastMessageAt = &at
		}
		threads = append(threads, t)
		if i%3 == 0 && e.ContactID != nil {
			access = append(access, &store.PortalAccess{
				Row: w.row("portal-access", Owner), EngagementID: e.ID, ContactID: *e.ContactID, AccessToken: identify(w.slug, "access", fmt.Sprint(i)), ExpiresAt: w.ahead(60, 0), CreatedAt: began,
			})
		}
	}
	w.rows = append(w.rows, &engagements, &[]*store.ProjectTemplate{template}, &projects, &milestones, &tasks, &files, &threads, &messages, &access)
	return engagements
}

// progress is how far the tasks of a project have come, one after the other.
var progress = []struct{ status, priority string }{
	{"completed", "medium"}, {"completed", "high"}, {"review", "medium"}, {"in_progress", "low"}, {"todo", "urgent"}, {"todo", "medium"},
}

// tasksOf are a few tasks, of which those that come first are done.
func (w *world) tasksOf(p *store.Project, marks []*store.Milestone, by string) (tasks []*store.Task) {
	begin := w.random.IntN(len(w.words.tasks))
	for n, far := range progress[:4+w.random.IntN(len(progress)-3)] {
		t := &store.Task{
			Row: w.row("tasks", by), ProjectID: p.ID, MilestoneID: &marks[n%len(marks)].ID, AssigneeID: new(userID(w.author())),
			Name: w.words.tasks[(begin+n)%len(w.words.tasks)], Status: far.status, Priority: far.priority,
			DueDate: w.ahead(2+3*n, 4), SortOrder: new(int32(n)), CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt,
		}
		if t.Status == "completed" {
			t.CompletedAt = new(p.CreatedAt.AddDate(0, 0, n+1))
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// billing is invoices of all kinds with their payments, and what others ask of us.
func (w *world) billing(engagements []*store.Engagement) {
	var schedules []*store.InvoiceSchedule
	var invoices []*store.Invoice
	var payments []*store.Payment
	for i, e := range engagements {
		by := nameOf(w, e.OwnerID)
		schedule := &store.InvoiceSchedule{
			Row: w.row("invoice-schedules", by), EngagementID: e.ID, ContractID: e.ContractID, Name: "Monthly instalments", TotalAmount: *e.TotalValue,
			Frequency: new("monthly"), NextInvoiceDate: w.ahead(5, 20), CreatedAt: e.CreatedAt,
		}
		schedules = append(schedules, schedule)
		for n := range 2 + i%2 {
			net := w.money(500, 9_000)
			sent := e.CreatedAt.AddDate(0, 0, 1+n)
			v := &store.Invoice{
				Row: w.row("invoices", by), EngagementID: e.ID, ScheduleID: &schedule.ID, ClientCompanyID: e.ClientCompanyID,
				InvoiceNumber: fmt.Sprintf("%d-%04d", sent.Year(), len(invoices)+1), Status: []string{"paid", "sent", "draft", "overdue", "viewed"}[(i+n)%5],
				Amount: decimal(net), Tax: new(decimal(net / 5)), TotalAmount: decimal(net + net/5),
				LineItems: document([]map[string]any{{"text": w.words.tasks[(i+n)%len(w.words.tasks)], "amount": decimal(net)}}),
				DueDate:   new(sent.AddDate(0, 0, 30)), CreatedAt: sent, UpdatedAt: sent,
			}
			if v.Status != "draft" {
				v.SentAt = &sent
			}
			if v.Status == "paid" {
				paid := sent.AddDate(0, 0, 1)
				v.PaidAt, v.PaidAmount = &paid, &v.TotalAmount
				payments = append(payments, &store.Payment{
					Row: w.row("payments", by), InvoiceID: v.ID, Amount: v.TotalAmount, PaymentMethod: new("bank transfer"), ReferenceNumber: new("RF-" + v.InvoiceNumber), PaidAt: paid,
				})
			}
			invoices = append(invoices, v)
		}
	}
	vendors, bills := w.costs(engagements)
	w.rows = append(w.rows, &schedules, &invoices, &payments, &vendors, &bills)
}

func (w *world) costs(engagements []*store.Engagement) (vendors []*store.Vendor, bills []*store.Bill) {
	for i, name := range []string{"Brightside Printing", "Corner Copy Shop", "Fjord Hosting", "Keystone Insurance", "Lumen Photography"} {
		since := w.ago(200, 100)
		v := &store.Vendor{Row: w.row("vendors", Owner), Name: name, Email: new(fmt.Sprintf("accounts%d@vendors.example", i+1)), CreatedAt: since, UpdatedAt: since}
		vendors = append(vendors, v)
		for n := range 2 {
			came := w.ago(5, 60)
			b := &store.Bill{
				Row: w.row("bills", Owner), EngagementID: &engagements[(i+n)%len(engagements)].ID, VendorID: &v.ID, CreatedByID: userID(Owner),
				BillNumber: fmt.Sprintf("B-%d%02d", i+1, n+1), Status: []string{"pending", "approved", "paid"}[(i+n)%3], Amount: softdelete.Decimal(fmt.Sprintf("%d.%02d", 80+w.random.IntN(900), w.random.IntN(100))),
				DueDate: w.ahead(10, 20), CreatedAt: came, UpdatedAt: came,
			}
			if b.Status != "pending" {
				b.ApprovedByID, b.ApprovedAt = new(userID(Owner)), &came
			}
			bills = append(bills, b)
		}
	}
	return vendors, bills
}
