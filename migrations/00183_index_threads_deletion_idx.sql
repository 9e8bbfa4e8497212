-- The rows of threads that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on threads; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists threads_deletion_idx on public.threads (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.threads_deletion_idx;
