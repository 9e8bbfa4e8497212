-- The rows of role_permissions that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on role_permissions; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists role_permissions_deletion_idx on public.role_permissions (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.role_permissions_deletion_idx;
