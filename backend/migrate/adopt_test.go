package migrate_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestAdopt_takesOverWhatTheAppHasMade(t *testing.T) {
	d, owner := inherited(t)
	before := dump(t, d)
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Adopt(t.Context()))
	assert.Equal(t, before, dump(t, d), "only the record is new")
	require.NoError(t, m.Adopt(t.Context()), "once is enough")
	require.NoError(t, m.Up(t.Context()))
	assert.Equal(t, int64(0), one[int64](t, owner, "select count(*) from audit_events"), "what was there before has no trail, and its migration makes none")
	assert.Equal(t, int64(0), one[int64](t, owner, `select count(*) from (select version from milestones union all select version from messages
		union all select version from payments union all select version from role_permissions) v where version <> 1`))
	assert.Equal(t, "aorg,borg", one[string](t, owner, "select string_agg(organization_id, ',' order by 1) from messages"))
}

// Names of keys and indexes are the other tool's, there are tables of others, and further columns: adopted, and told.
func TestAdopt_doesNotCareForNames(t *testing.T) {
	d, owner := inherited(t)
	run(t, owner, `
		alter table deals rename constraint deals_contact_id_fkey to deals_contact_id_contacts_id_fk;
		alter table activity_events rename constraint activity_events_engagement_id_fkey to whatever;
		alter table activity_events rename constraint activity_events_organization_id_fkey to whatever_else;
		alter table organizations drop constraint organizations_slug_key;
		create unique index organizations_slug_unique on organizations (slug);
		alter index idx_deals_org rename to deals_org;
		drop index idx_deals_stage;
		alter table deals add column colour text;
		alter table deals alter column probability drop default;
		create table sessions (sid varchar primary key, deal varchar references deals (id) on delete cascade);
		create table goose_db_version (id int)`)
	var output bytes.Buffer
	m := open(t, d, migrate.Options{Output: &output})
	require.NoError(t, m.Adopt(t.Context()))
	assert.Contains(t, output.String(), "warning: the column deals.colour is not the baseline's")
	assert.Contains(t, output.String(), "warning: no index on deals (stage)")
	assert.Contains(t, output.String(), "warning: the column deals.probability has no default")
	require.NoError(t, m.Up(t.Context()))
	assert.Equal(t, int64(0), one[int64](t, owner, "select count(*) from pg_constraint where conname like 'whatever%'"))
}

func TestAdopt_refusesWithEveryDifference(t *testing.T) {
	d, owner := inherited(t)
	run(t, owner, `
		drop table outbox;
		alter table deals alter column value type numeric(14,2);
		alter table deals alter column name drop not null;
		alter table deals drop column notes;
		alter table deals drop constraint deals_contact_id_fkey, add foreign key (contact_id) references contacts (id) on delete cascade;
		alter table tasks drop constraint tasks_milestone_id_fkey;
		alter table bills add foreign key (created_by_id) references users (id);
		alter table messages drop constraint messages_thread_id_fkey, add foreign key (thread_id) references threads (id) on delete cascade not valid;
		alter table users drop constraint users_email_key;
		alter table vendors drop constraint vendors_pkey cascade;
		alter type deal_stage rename value 'won' to 'done'`)
	before := dump(t, d)
	var different *migrate.DifferentError
	require.ErrorAs(t, open(t, d, migrate.Options{}).Adopt(t.Context()), &different)
	assert.ElementsMatch(t, []string{
		"the table outbox is missing",
		"the column deals.value is numeric(14,2) null instead of numeric(12,2) null",
		"the column deals.name is character varying(255) null instead of character varying(255) not null",
		"the column deals.notes is missing",
		"the foreign key deals.contact_id → contacts is on delete cascade instead of set null",
		"the foreign key tasks.milestone_id → milestones is missing",
		"the foreign key bills.created_by_id → users is not the baseline's, so no deletion knows it",
		"the foreign key messages.thread_id → threads is on delete cascade, not validated instead of cascade",
		"the foreign key bills.vendor_id → vendors is missing",
		"users (email) is not unique",
		"vendors (id) is not the primary key",
		"the type deal_stage is (lead, qualified, proposal, negotiation, done, lost) instead of (lead, qualified, proposal, negotiation, won, lost)",
	}, different.Differences)
	assert.Equal(t, before, dump(t, d))
	assert.False(t, one[bool](t, owner, "select to_regclass('gatehouse_migrations') is not null"))
}

func TestAdopt_refusesWhereThereIsNothing(t *testing.T) {
	d := stack.DatabaseForTest(t, "")
	require.ErrorContains(t, open(t, d, migrate.Options{}).Adopt(t.Context()), "nothing to adopt")
}
