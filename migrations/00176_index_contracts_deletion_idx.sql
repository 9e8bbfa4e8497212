-- The rows of contracts that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on contracts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contracts_deletion_idx on public.contracts (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.contracts_deletion_idx;
