package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

const settingsPath = "/api/organizations/settings"

// signedIn is who is asking, and where they may go.
type signedIn struct {
	// ID is null as long as no organization is chosen.
	ID            *string            `json:"id" doc:"Null as long as no organization is chosen."`
	Email         string             `json:"email" doc:"As the identity provider has verified it."`
	Name          string             `json:"name"  doc:"As the identity provider says it."`
	Organization  *store.Membership  `json:"organization" doc:"The one that requests like this one are for; null as long as none is chosen."`
	Organizations []store.Membership `json:"organizations" doc:"All that one may choose."`
}

// ownOperations are about the person who asks, and their organization.
func (a *api) ownOperations() []*operation {
	settings := store.Organizations
	n := namesOf(settings)
	operations := []*operation{
		{
			method: http.MethodGet, path: "/api/auth/user", name: "getSignedIn", tag: "You",
			summary:     "Who is signed in, and which organizations they may choose",
			description: "Also answers a person of several organizations who has chosen none.",
			answers:     a.schemaOf(signedIn{}), closed: true,
			serves: a.getSignedIn,
		},
		{
			method: http.MethodGet, path: "/api/users/me", name: "getMe", tag: "You",
			summary: "Your own account",
			answers: a.schemaOf(store.User{}), closed: true,
			reads: func(ctx context.Context, tx *softdelete.Tx, _ *call) (*answer, error) {
				u, err := store.Actor(ctx, tx)
				return ok(u), err
			},
		},
		{
			method: http.MethodGet, path: settingsPath, name: "getSettings", tag: settings.Plural,
			summary: "Read the organization's settings",
			answers: ref(n.one), tagged: true,
			reads: func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
				c.id = tx.Organization
				return a.get(settings)(ctx, tx, c)
			},
		},
		{
			method: http.MethodGet, path: "/api/dashboard/stats", name: "getStats", tag: "You",
			summary: "Counts and sums of the organization's live rows",
			answers: a.schemaOf(store.Figures{}),
			reads: func(ctx context.Context, tx *softdelete.Tx, _ *call) (*answer, error) {
				figures, err := store.Dashboard(ctx, tx)
				return ok(figures), err
			},
		},
	}
	return append(operations, a.updateOperations(settings, settingsPath, func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		c.id = tx.Organization
		return a.update(settings)(ctx, tx, c)
	})...)
}

func (a *api) getSignedIn(ctx context.Context, c *call) (*answer, error) {
	who, _ := caller.From(ctx)
	body := signedIn{Email: who.Person.Email, Name: who.Identity.Claim("name"), Organizations: []store.Membership{}}
	memberships, err := a.store.Memberships(ctx, who.Person)
	if err != nil {
		return nil, err
	}
	body.Organizations = append(body.Organizations, memberships...)

	var choose *store.ChooseError
	err = a.store.Read(ctx, c.who, func(_ context.Context, tx *softdelete.Tx) error {
		body.ID = &tx.Actor
		for i, m := range memberships {
			if m.ID == tx.Organization {
				body.Organization = &memberships[i]
			}
		}
		return nil
	})
	if errors.As(err, &choose) || errors.Is(err, store.ErrNoOrganization) {
		err = nil
	}
	return ok(body), err
}
