-- The rows of tasks that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on tasks; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists tasks_deletion_idx on public.tasks (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.tasks_deletion_idx;
