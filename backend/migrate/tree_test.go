package migrate_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"
)

// tree is one row in each of the baseline's tables, of an organization whose ids have the prefix @. It names baseline
// columns only, so the old app could have written it.
const tree = `
insert into users (id, email, first_name, password_hash) values ('@user', '@User@example.com', 'Ann', 'canary-password');
insert into organizations (id, name, slug) values ('@org', 'Org', '@slug');
insert into organization_members (id, organization_id, user_id, role) values ('@member', '@org', '@user', 'owner');
insert into client_companies (id, organization_id, name, notes) values ('@company', '@org', 'Acme', 'canary-notes');
insert into contacts (id, organization_id, client_company_id, first_name, last_name, email) values ('@contact', '@org', '@company', 'Cy', 'Doe', 'cy@example.com');
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name, value) values ('@deal', '@org', '@company', '@contact', '@user', 'Deal', 12.50);
insert into proposals (id, organization_id, deal_id, client_company_id, contact_id, created_by_id, name) values ('@proposal', '@org', '@deal', '@company', '@contact', '@user', 'Proposal');
insert into contracts (id, organization_id, proposal_id, deal_id, client_company_id, contact_id, created_by_id, name, signature_data, signed_by_name)
	values ('@contract', '@org', '@proposal', '@deal', '@company', '@contact', '@user', 'Contract', 'canary-signature', 'Cy Doe');
insert into engagements (id, organization_id, contract_id, deal_id, client_company_id, contact_id, owner_id, name) values ('@engagement', '@org', '@contract', '@deal', '@company', '@contact', '@user', 'Engagement');
insert into project_templates (id, organization_id, name) values ('@template', '@org', 'Template');
insert into projects (id, organization_id, engagement_id, template_id, name) values ('@project', '@org', '@engagement', '@template', 'Project');
insert into milestones (id, project_id, name) values ('@milestone', '@project', 'Milestone');
insert into tasks (id, organization_id, project_id, milestone_id, assignee_id, name) values ('@task', '@org', '@project', '@milestone', '@user', 'Task');
insert into file_objects (id, organization_id, engagement_id, uploaded_by_id, name, original_name, path) values ('@file', '@org', '@engagement', '@user', 'a.pdf', 'a.pdf', '/a.pdf');
insert into threads (id, organization_id, engagement_id, subject, created_by_id) values ('@thread', '@org', '@engagement', 'Hello', '@user');
insert into messages (id, thread_id, sender_id, sender_name, content, attachments) values ('@message', '@thread', '@user', 'Ann', 'canary-content', '[{"n": 1}]');
insert into invoice_schedules (id, organization_id, engagement_id, contract_id, name, total_amount) values ('@schedule', '@org', '@engagement', '@contract', 'Monthly', 100);
insert into invoices (id, organization_id, engagement_id, schedule_id, client_company_id, invoice_number, amount, total_amount) values ('@invoice', '@org', '@engagement', '@schedule', '@company', 'I-1', 100, 119);
insert into payments (id, invoice_id, amount) values ('@payment', '@invoice', 119);
insert into vendors (id, organization_id, name) values ('@vendor', '@org', 'Vendor');
insert into bills (id, organization_id, engagement_id, vendor_id, created_by_id, bill_number, amount) values ('@bill', '@org', '@engagement', '@vendor', '@user', 'B-1', 5);
insert into activity_events (id, organization_id, entity_type, entity_id, engagement_id, actor_id, type) values ('@activity', '@org', 'deal', '@deal', '@engagement', '@user', 'created');
insert into outbox (id, organization_id, event_type, payload) values ('@outbox', '@org', 'deal.created', '{}');
insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token) values ('@access', '@org', '@engagement', '@contact', '@canary-token');
insert into permissions (id, feature_area, permission_type) values ('@permission', 'deals', 'view');
insert into roles (id, organization_id, name) values ('@role', '@org', 'Manager');
insert into role_permissions (id, role_id, permission_id) values ('@grant', '@role', '@permission');
insert into user_roles (id, user_id, role_id, organization_id) values ('@userrole', '@user', '@role', '@org');
insert into invitations (id, organization_id, email, role_id, token, invited_by_id, expires_at) values ('@invitation', '@org', 'new@example.com', '@role', '@canary-invitation', '@user', '2030-01-01');
`

// plant writes a tree.
func plant(t *testing.T, db *sql.DB, prefix string) {
	t.Helper()
	run(t, db, strings.ReplaceAll(tree, "'@", "'"+prefix))
}

// connect opens a pool that ends with the test.
func connect(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func run(t *testing.T, db execer, query string, args ...any) {
	t.Helper()
	require.NoError(t, attempt(t, db, query, args...), query)
}

// attempt runs a statement that may be refused.
func attempt(t *testing.T, db execer, query string, args ...any) error {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	return err
}

// each calls f with each row of a query.
func each(t *testing.T, db *sql.DB, query string, f func(scan func(...any) error) error, args ...any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		require.NoError(t, f(rows.Scan))
	}
	require.NoError(t, rows.Err())
}

// one reads the single value of a query's single row.
func one[T any](t *testing.T, db execer, query string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&value), query)
	return value
}
