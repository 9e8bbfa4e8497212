-- Lists of roles: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists roles_live_idx on public.roles (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.roles_live_idx;
