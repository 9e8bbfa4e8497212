-- The rows of projects that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on projects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists projects_deletion_idx on public.projects (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.projects_deletion_idx;
