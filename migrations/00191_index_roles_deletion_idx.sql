-- The rows of roles that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists roles_deletion_idx on public.roles (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.roles_deletion_idx;
