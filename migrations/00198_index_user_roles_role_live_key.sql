-- A person has a role of an organization once.
-- Locks: SHARE UPDATE EXCLUSIVE on user_roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create unique index concurrently if not exists user_roles_role_live_key on public.user_roles (organization_id, user_id, role_id) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.user_roles_role_live_key;
