-- Lists of role_permissions: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on role_permissions; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists role_permissions_live_idx on public.role_permissions (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.role_permissions_live_idx;
