-- The trash of proposals: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on proposals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists proposals_trash_idx on public.proposals (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.proposals_trash_idx;
