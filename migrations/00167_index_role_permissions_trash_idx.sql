-- The trash of role_permissions: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on role_permissions; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists role_permissions_trash_idx on public.role_permissions (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.role_permissions_trash_idx;
