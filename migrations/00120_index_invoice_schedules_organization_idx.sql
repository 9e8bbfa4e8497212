-- The rows of invoice_schedules of an organization, trashed or not, are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on invoice_schedules; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoice_schedules_organization_idx on public.invoice_schedules (organization_id);

-- +goose Down

drop index concurrently if exists public.invoice_schedules_organization_idx;
