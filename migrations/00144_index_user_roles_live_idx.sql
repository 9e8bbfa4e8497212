-- Lists of user_roles: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on user_roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists user_roles_live_idx on public.user_roles (organization_id, assigned_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.user_roles_live_idx;
