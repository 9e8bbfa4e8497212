-- The trash of user_roles: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on user_roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists user_roles_trash_idx on public.user_roles (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.user_roles_trash_idx;
