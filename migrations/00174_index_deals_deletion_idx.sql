-- The rows of deals that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on deals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists deals_deletion_idx on public.deals (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.deals_deletion_idx;
