-- Live roles of an organization have names of their own.
-- Locks: SHARE UPDATE EXCLUSIVE on roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create unique index concurrently if not exists roles_name_live_key on public.roles (organization_id, name) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.roles_name_live_key;
