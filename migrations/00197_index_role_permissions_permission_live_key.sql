-- A live role has a permission once.
-- Locks: SHARE UPDATE EXCLUSIVE on role_permissions; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create unique index concurrently if not exists role_permissions_permission_live_key on public.role_permissions (organization_id, role_id, permission_id) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.role_permissions_permission_live_key;
