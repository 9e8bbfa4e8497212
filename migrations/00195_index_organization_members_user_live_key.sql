-- A person has one live membership in an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on organization_members; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create unique index concurrently if not exists organization_members_user_live_key on public.organization_members (organization_id, user_id) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.organization_members_user_live_key;
