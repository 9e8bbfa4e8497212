-- The trash of roles: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists roles_trash_idx on public.roles (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.roles_trash_idx;
