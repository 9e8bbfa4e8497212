-- The four tables that knew their organization only through their parent get to know it themselves.
-- Locks: ACCESS EXCLUSIVE on milestones, messages, payments and role_permissions in turn, for a change of the catalogue.

-- +goose NO TRANSACTION

-- +goose Up

alter table public.milestones add column if not exists organization_id varchar;
alter table public.messages add column if not exists organization_id varchar;
alter table public.payments add column if not exists organization_id varchar;
alter table public.role_permissions add column if not exists organization_id varchar;

-- +goose Down

alter table public.role_permissions drop column if exists organization_id;
alter table public.payments drop column if exists organization_id;
alter table public.messages drop column if exists organization_id;
alter table public.milestones drop column if exists organization_id;
