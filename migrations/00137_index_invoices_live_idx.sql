-- Lists of invoices: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on invoices; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoices_live_idx on public.invoices (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.invoices_live_idx;
