-- The rows of vendors that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on vendors; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists vendors_deletion_idx on public.vendors (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.vendors_deletion_idx;
