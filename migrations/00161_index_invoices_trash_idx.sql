-- The trash of invoices: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on invoices; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoices_trash_idx on public.invoices (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.invoices_trash_idx;
