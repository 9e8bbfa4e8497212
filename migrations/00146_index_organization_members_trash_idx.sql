-- The trash of organization_members: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on organization_members; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists organization_members_trash_idx on public.organization_members (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.organization_members_trash_idx;
