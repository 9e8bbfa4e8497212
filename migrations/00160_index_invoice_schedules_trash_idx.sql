-- The trash of invoice_schedules: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on invoice_schedules; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoice_schedules_trash_idx on public.invoice_schedules (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.invoice_schedules_trash_idx;
