-- The rows of invoices that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on invoices; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoices_deletion_idx on public.invoices (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.invoices_deletion_idx;
