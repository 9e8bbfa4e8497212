-- The rows of payments that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on payments; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists payments_deletion_idx on public.payments (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.payments_deletion_idx;
