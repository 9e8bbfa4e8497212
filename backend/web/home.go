package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// homePage is where one begins.
type homePage struct {
	Organization string
	Figures      []figure
	Stages       []stage
	Lists        []related
	Trash        []trashRow
}

// figure is a number to begin with, and where it leads.
type figure struct{ Title, Number, Href, Hint string }

// stage is a stage of the deals, with the share of the widest.
type stage struct {
	Title, Number, Href string
	Width               int // in twelfths
}

func home(ctx context.Context, v *visit) (view, error) {
	body := homePage{Organization: v.org.Name}
	sums, err := store.Dashboard(ctx, v.tx)
	if err != nil {
		return view{}, err
	}
	body.Figures = []figure{
		{"Clients", count(sums.Clients), "/clients", v.amount("contacts", sums.Contacts)},
		{"Open deals", count(sums.OpenDeals.Count), "/deals", v.format.money(sums.OpenDeals.Total) + " in all"},
		{"Active engagements", count(sums.Engagements), "/engagements?status=active", v.amount("tasks", sums.OpenTasks) + " open"},
		{"Overdue invoices", count(sums.Overdue.Count), "/invoices?status=overdue", v.format.money(sums.Unpaid.Total) + " unpaid in all"},
	}
	if err := v.stages(ctx, &body); err != nil {
		return view{}, err
	}
	for _, l := range []struct{ kind, title, field, value string }{
		{"deals", "Newest deals", "", ""},
		{"invoices", "Overdue invoices", "status", "overdue"},
	} {
		one, err := v.newest(ctx, l.kind, l.title, l.field, l.value)
		if err != nil {
			return view{}, err
		}
		if one != nil {
			body.Lists = append(body.Lists, *one)
		}
	}
	if v.mayTrash() {
		found, err := v.store.Deletions.Trash(ctx, v.tx, softdelete.TrashQuery{Limit: 3})
		if err != nil {
			return view{}, err
		}
		for _, d := range found.Rows {
			body.Trash = append(body.Trash, v.trashRow(d))
		}
	}
	return view{look: "home", title: "Home", body: body}, nil
}

// count writes a number of rows.
func count(n int) string { return thousands(strconv.Itoa(n)) }

// stages counts the deals that are open, by stage.
func (v *visit) stages(ctx context.Context, body *homePage) error {
	if v.byKind["deals"] == nil {
		return nil
	}
	widest := 1
	var numbers []int
	for _, value := range []string{"lead", "qualified", "proposal", "negotiation"} {
		found, err := v.store.Resources["deals"].List(ctx, v.tx, softdelete.Query{Limit: 1, Filter: map[string]string{"stage": value}})
		if err != nil {
			return err
		}
		body.Stages = append(body.Stages, stage{Title: word(value), Number: total(found.Total, found.Capped), Href: "/deals?stage=" + value})
		numbers = append(numbers, found.Total)
		widest = max(widest, found.Total)
	}
	for i, n := range numbers {
		body.Stages[i].Width = (n*12 + widest - 1) / widest
	}
	return nil
}

// newest are the newest rows of a kind, or of one value of a field; nil when there are none.
func (v *visit) newest(ctx context.Context, kind, title, field, value string) (*related, error) {
	e := v.byKind[kind]
	if e == nil {
		return nil, nil
	}
	query := softdelete.Query{Limit: relatedSize, Filter: map[string]string{}}
	all := "/" + kind
	if field != "" {
		query.Filter[field] = value
		all += "?" + url.Values{field: {value}}.Encode()
	}
	found, err := v.store.Resources[kind].List(ctx, v.tx, query)
	if err != nil || len(found.Rows) == 0 {
		return nil, err
	}
	if err := v.know(ctx, e, found.Rows...); err != nil {
		return nil, err
	}
	one := &related{ID: "newest-" + kind, Title: title, All: all, More: true, List: listPage{Title: title}}
	v.rows(e, &one.List, found.Rows)
	one.List.readOnly()
	return one, nil
}

// closedPage is all that there is of a closed organization, to its owner.
type closedPage struct{ Name, Action string }

func closed(_ context.Context, v *visit) (view, error) {
	return view{
		status: http.StatusForbidden, look: "closed", title: v.org.Name + " is closed",
		body: closedPage{v.org.Name, "/ui" + rowPath(store.Organizations, v.tx.Organization) + "/restore"},
	}, nil
}
