-- Lists of invoice_schedules: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on invoice_schedules; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoice_schedules_live_idx on public.invoice_schedules (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.invoice_schedules_live_idx;
