-- The rows of bills that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on bills; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists bills_deletion_idx on public.bills (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.bills_deletion_idx;
