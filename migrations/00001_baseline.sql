-- The database of the app that is already in production, exactly as it stands there.
-- A database that has these tables is adopted: it is compared with this file and the file is recorded as applied.
-- Locks: none on existing tables.

-- +goose Up

create type deal_stage as enum ('lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost');
create type proposal_status as enum ('draft', 'sent', 'viewed', 'accepted', 'rejected', 'expired');
create type contract_status as enum ('draft', 'sent', 'signed', 'expired', 'cancelled');
create type engagement_status as enum ('active', 'on_hold', 'completed', 'cancelled');
create type project_status as enum ('not_started', 'in_progress', 'completed', 'on_hold', 'cancelled');
create type task_status as enum ('todo', 'in_progress', 'review', 'completed', 'cancelled');
create type task_priority as enum ('low', 'medium', 'high', 'urgent');
create type invoice_status as enum ('draft', 'sent', 'viewed', 'paid', 'overdue', 'cancelled');
create type bill_status as enum ('pending', 'approved', 'rejected', 'paid', 'cancelled');
create type thread_type as enum ('internal', 'client');
create type member_role as enum ('owner', 'admin', 'member', 'viewer');
create type activity_type as enum ('created', 'updated', 'deleted', 'status_changed', 'signed', 'sent', 'viewed', 'paid', 'approved', 'rejected', 'comment');
create type permission_type as enum ('view', 'create', 'edit', 'delete', 'export');

create table organizations (
    id varchar primary key default gen_random_uuid(),
    name varchar(255) not null,
    slug varchar(100) unique not null,
    logo text,
    timezone varchar(50) not null default 'UTC',
    currency varchar(3) not null default 'USD',
    date_format varchar(20) not null default 'YYYY-MM-DD',
    language varchar(10) not null default 'en',
    business_hours jsonb,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table organization_members (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    user_id varchar not null,
    role member_role not null default 'member',
    created_at timestamp not null default now()
);
create index idx_org_members_org on organization_members (organization_id);
create index idx_org_members_user on organization_members (user_id);

create table client_companies (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    name varchar(255) not null,
    website text,
    industry varchar(100),
    address text,
    city varchar(100),
    state varchar(100),
    zip_code varchar(20),
    country varchar(100),
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_clients_org on client_companies (organization_id);
create index idx_clients_industry on client_companies (industry);
create index idx_clients_country on client_companies (country);

create table contacts (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    client_company_id varchar references client_companies (id) on delete cascade,
    first_name varchar(100) not null,
    last_name varchar(100) not null,
    email varchar(255),
    phone varchar(50),
    title varchar(100),
    is_primary boolean default false,
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_contacts_org on contacts (organization_id);
create index idx_contacts_company on contacts (client_company_id);

create table deals (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    client_company_id varchar references client_companies (id) on delete set null,
    contact_id varchar references contacts (id) on delete set null,
    owner_id varchar not null,
    name varchar(255) not null,
    description text,
    value numeric(12,2),
    stage deal_stage not null default 'lead',
    probability integer default 0,
    expected_close_date timestamp,
    closed_at timestamp,
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_deals_org on deals (organization_id);
create index idx_deals_stage on deals (stage);
create index idx_deals_client on deals (client_company_id);

create table proposals (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    deal_id varchar references deals (id) on delete set null,
    client_company_id varchar references client_companies (id) on delete set null,
    contact_id varchar references contacts (id) on delete set null,
    created_by_id varchar not null,
    name varchar(255) not null,
    status proposal_status not null default 'draft',
    content jsonb,
    total_value numeric(12,2),
    valid_until timestamp,
    sent_at timestamp,
    viewed_at timestamp,
    responded_at timestamp,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_proposals_org on proposals (organization_id);
create index idx_proposals_deal on proposals (deal_id);

create table contracts (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    proposal_id varchar references proposals (id) on delete set null,
    deal_id varchar references deals (id) on delete set null,
    client_company_id varchar references client_companies (id) on delete set null,
    contact_id varchar references contacts (id) on delete set null,
    created_by_id varchar not null,
    name varchar(255) not null,
    status contract_status not null default 'draft',
    content jsonb,
    total_value numeric(12,2),
    start_date timestamp,
    end_date timestamp,
    signed_at timestamp,
    signed_by_name varchar(255),
    signature_data text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_contracts_org on contracts (organization_id);
create index idx_contracts_proposal on contracts (proposal_id);

create table engagements (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    contract_id varchar references contracts (id) on delete set null,
    deal_id varchar references deals (id) on delete set null,
    client_company_id varchar references client_companies (id) on delete set null,
    contact_id varchar references contacts (id) on delete set null,
    owner_id varchar not null,
    name varchar(255) not null,
    description text,
    status engagement_status not null default 'active',
    start_date timestamp,
    end_date timestamp,
    total_value numeric(12,2),
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_engagements_org on engagements (organization_id);
create index idx_engagements_client on engagements (client_company_id);
create index idx_engagements_status on engagements (status);

create table project_templates (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    name varchar(255) not null,
    description text,
    tasks_template jsonb,
    milestones_template jsonb,
    is_default boolean default false,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_templates_org on project_templates (organization_id);

create table projects (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar not null references engagements (id) on delete cascade,
    template_id varchar references project_templates (id) on delete set null,
    name varchar(255) not null,
    description text,
    status project_status not null default 'not_started',
    start_date timestamp,
    due_date timestamp,
    completed_at timestamp,
    progress integer default 0,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_projects_org on projects (organization_id);
create index idx_projects_engagement on projects (engagement_id);

create table milestones (
    id varchar primary key default gen_random_uuid(),
    project_id varchar not null references projects (id) on delete cascade,
    name varchar(255) not null,
    description text,
    due_date timestamp,
    completed_at timestamp,
    sort_order integer default 0,
    created_at timestamp not null default now()
);
create index idx_milestones_project on milestones (project_id);

create table tasks (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    project_id varchar not null references projects (id) on delete cascade,
    milestone_id varchar references milestones (id) on delete set null,
    assignee_id varchar,
    name varchar(255) not null,
    description text,
    status task_status not null default 'todo',
    priority task_priority not null default 'medium',
    due_date timestamp,
    completed_at timestamp,
    sort_order integer default 0,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_tasks_project on tasks (project_id);
create index idx_tasks_assignee on tasks (assignee_id);
create index idx_tasks_status on tasks (status);

create table file_objects (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar references engagements (id) on delete cascade,
    uploaded_by_id varchar not null,
    name varchar(255) not null,
    original_name varchar(255) not null,
    mime_type varchar(100),
    size integer,
    path text not null,
    folder varchar(255) default '/',
    is_client_visible boolean default false,
    created_at timestamp not null default now()
);
create index idx_files_org on file_objects (organization_id);
create index idx_files_engagement on file_objects (engagement_id);

create table threads (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar not null references engagements (id) on delete cascade,
    type thread_type not null default 'internal',
    subject varchar(255) not null,
    created_by_id varchar not null,
    last_message_at timestamp,
    created_at timestamp not null default now()
);
create index idx_threads_engagement on threads (engagement_id);
create index idx_threads_type on threads (type);

create table messages (
    id varchar primary key default gen_random_uuid(),
    thread_id varchar not null references threads (id) on delete cascade,
    sender_id varchar not null,
    sender_name varchar(255),
    content text not null,
    attachments jsonb,
    created_at timestamp not null default now()
);
create index idx_messages_thread on messages (thread_id);

create table invoice_schedules (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar not null references engagements (id) on delete cascade,
    contract_id varchar references contracts (id) on delete set null,
    name varchar(255) not null,
    total_amount numeric(12,2) not null,
    frequency varchar(50),
    next_invoice_date timestamp,
    created_at timestamp not null default now()
);
create index idx_schedules_engagement on invoice_schedules (engagement_id);

create table invoices (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar not null references engagements (id) on delete cascade,
    schedule_id varchar references invoice_schedules (id) on delete set null,
    client_company_id varchar references client_companies (id) on delete set null,
    invoice_number varchar(50) not null,
    status invoice_status not null default 'draft',
    amount numeric(12,2) not null,
    tax numeric(12,2) default '0',
    total_amount numeric(12,2) not null,
    line_items jsonb,
    due_date timestamp,
    sent_at timestamp,
    paid_at timestamp,
    paid_amount numeric(12,2),
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_invoices_org on invoices (organization_id);
create index idx_invoices_engagement on invoices (engagement_id);
create index idx_invoices_status on invoices (status);

create table payments (
    id varchar primary key default gen_random_uuid(),
    invoice_id varchar not null references invoices (id) on delete cascade,
    amount numeric(12,2) not null,
    payment_method varchar(50),
    reference_number varchar(100),
    paid_at timestamp not null default now(),
    notes text
);
create index idx_payments_invoice on payments (invoice_id);

create table vendors (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    name varchar(255) not null,
    email varchar(255),
    phone varchar(50),
    address text,
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_vendors_org on vendors (organization_id);

create table bills (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar references engagements (id) on delete set null,
    vendor_id varchar references vendors (id) on delete set null,
    created_by_id varchar not null,
    bill_number varchar(50) not null,
    status bill_status not null default 'pending',
    amount numeric(12,2) not null,
    due_date timestamp,
    description text,
    attachment_path text,
    approved_by_id varchar,
    approved_at timestamp,
    paid_at timestamp,
    notes text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_bills_org on bills (organization_id);
create index idx_bills_engagement on bills (engagement_id);
create index idx_bills_status on bills (status);

create table activity_events (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    entity_type varchar(50) not null,
    entity_id varchar not null,
    engagement_id varchar references engagements (id) on delete cascade,
    actor_id varchar not null,
    actor_name varchar(255),
    type activity_type not null,
    description text,
    metadata jsonb,
    created_at timestamp not null default now()
);
create index idx_activity_org on activity_events (organization_id);
create index idx_activity_entity on activity_events (entity_type, entity_id);
create index idx_activity_engagement on activity_events (engagement_id);

create table outbox (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    event_type varchar(255) not null,
    version integer not null default 1,
    payload jsonb not null,
    metadata jsonb,
    created_at timestamp not null default now(),
    processed_at timestamp,
    retry_count integer not null default 0,
    last_error text
);
create index idx_outbox_unprocessed on outbox (created_at);
create index idx_outbox_org on outbox (organization_id);

create table client_portal_access (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    engagement_id varchar not null references engagements (id) on delete cascade,
    contact_id varchar not null references contacts (id) on delete cascade,
    access_token varchar(255) unique not null,
    expires_at timestamp,
    last_accessed_at timestamp,
    created_at timestamp not null default now()
);
create index idx_portal_engagement on client_portal_access (engagement_id);
create index idx_portal_token on client_portal_access (access_token);

create table permissions (
    id varchar primary key default gen_random_uuid(),
    feature_area varchar(100) not null,
    permission_type permission_type not null,
    description text,
    created_at timestamp not null default now()
);
create index idx_permissions_feature on permissions (feature_area);
create index idx_permissions_unique on permissions (feature_area, permission_type);

create table roles (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    name varchar(100) not null,
    description text,
    is_default boolean default false,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_roles_org on roles (organization_id);
create index idx_roles_org_name on roles (organization_id, name);

create table role_permissions (
    id varchar primary key default gen_random_uuid(),
    role_id varchar not null references roles (id) on delete cascade,
    permission_id varchar not null references permissions (id) on delete cascade,
    created_at timestamp not null default now()
);
create index idx_role_permissions_role on role_permissions (role_id);
create index idx_role_permissions_permission on role_permissions (permission_id);
create index idx_role_permissions_unique on role_permissions (role_id, permission_id);

create table user_roles (
    id varchar primary key default gen_random_uuid(),
    user_id varchar not null,
    role_id varchar not null references roles (id) on delete cascade,
    organization_id varchar not null references organizations (id) on delete cascade,
    assigned_by_id varchar,
    assigned_at timestamp not null default now()
);
create index idx_user_roles_user on user_roles (user_id);
create index idx_user_roles_role on user_roles (role_id);
create index idx_user_roles_org on user_roles (organization_id);
create index idx_user_roles_unique on user_roles (user_id, role_id, organization_id);

create table invitations (
    id varchar primary key default gen_random_uuid(),
    organization_id varchar not null references organizations (id) on delete cascade,
    email varchar(255) not null,
    role_id varchar references roles (id) on delete set null,
    token varchar(255) unique not null,
    status varchar(20) not null default 'pending',
    invited_by_id varchar not null,
    accepted_by_id varchar,
    accepted_at timestamp,
    expires_at timestamp not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);
create index idx_invitations_org on invitations (organization_id);
create index idx_invitations_email on invitations (email);
create index idx_invitations_token on invitations (token);
create index idx_invitations_status on invitations (status);
create index idx_invitations_expires on invitations (expires_at);
create index idx_invitations_unique_pending on invitations (organization_id, email, status);

create table users (
    id varchar primary key default gen_random_uuid(),
    email varchar unique,
    first_name varchar,
    last_name varchar,
    profile_image_url varchar,
    phone varchar(50),
    timezone varchar(50) default 'UTC',
    notification_preferences jsonb,
    password_hash varchar,
    created_at timestamp default now(),
    updated_at timestamp default now()
);

-- +goose Down
-- The baseline is the app's own data: nothing here takes it away.
-- +goose StatementBegin
do $$
begin
    raise exception 'the baseline is the data itself: to be rid of it, drop the database';
end
$$;
-- +goose StatementEnd
