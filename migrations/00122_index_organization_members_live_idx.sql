-- Lists of organization_members: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on organization_members; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists organization_members_live_idx on public.organization_members (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.organization_members_live_idx;
