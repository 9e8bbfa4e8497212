-- The rows of organization_members that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on organization_members; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists organization_members_deletion_idx on public.organization_members (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.organization_members_deletion_idx;
