package softdelete_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestCheckForeignKeys_knowsAllOfTheMigratedDatabase(t *testing.T) {
	w := newWorld(t)
	wrong, err := softdelete.CheckForeignKeys(t.Context(), w.admin, store.Entities)
	require.NoError(t, err)
	require.Empty(t, wrong)
}

// A table, a key or an index that comes or goes without a word about deletions is found at the start.
func TestCheckForeignKeys_namesWhatNobodyHasClassified(t *testing.T) {
	for _, test := range []struct{ name, sql, want string }{
		{
			"a table of the old app's", "create table visits (id varchar primary key, client_id varchar references client_companies (id))",
			"visits.client_id points to client_companies, and its table is no entity: nobody has said what a deletion does with its rows",
		},
		{
			"rows that would go with an ignored table's key", "alter table activity_events add constraint x foreign key (engagement_id) references engagements (id) on delete cascade",
			"activity_events.engagement_id points to engagements, and its table is no entity: nobody has said what a deletion does with its rows",
		},
		{
			"a column of an entity", "alter table vendors add column contact_id varchar references contacts (id); create index on vendors (contact_id)",
			"vendors.contact_id points to contacts, and is not declared as a reference to it",
		},
		{
			"a column to a table that is no entity", "alter table vendors add column user_id varchar references users (id); create index on vendors (user_id)",
			"vendors.user_id points to users, which is no entity: nobody has said what a deletion does with it",
		},
		{
			"a parent that is none any more", "alter table contacts drop constraint contacts_client_company_id_fkey, add foreign key (client_company_id) references client_companies (id) on delete set null",
			"contacts.client_company_id is declared as a child of client_companies, and the database does otherwise when that is removed",
		},
		{
			"a reference that takes along", "alter table deals drop constraint deals_contact_id_fkey, add foreign key (contact_id) references contacts (id) on delete cascade",
			"deals.contact_id is declared as a mere reference of contacts, and the database does otherwise when that is removed",
		},
		{
			"a key that is gone", "alter table deals drop constraint deals_contact_id_fkey",
			"deals.contact_id is declared as a reference, and has no foreign key",
		},
		{
			"an index that is gone", "drop index idx_tasks_project",
			"tasks.project_id points to projects, and no index begins with it: a deletion would read the whole table",
		},
		{
			"an index for some rows only", "drop index idx_tasks_project; create index on tasks (project_id) where status = 'todo'",
			"tasks.project_id points to projects, and no index begins with it: a deletion would read the whole table",
		},
		{
			"a key of two columns", "alter table projects add unique (organization_id, id); alter table vendors add column p varchar, add foreign key (organization_id, p) references projects (organization_id, id)",
			"vendors.organization_id is a part of a foreign key of 2 columns to projects, which no declaration knows",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.exec(test.sql)
			wrong, err := softdelete.CheckForeignKeys(t.Context(), w.admin, store.Entities)
			require.NoError(t, err)
			require.Equal(t, []string{test.want}, wrong)
		})
	}
}
