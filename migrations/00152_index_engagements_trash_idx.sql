-- The trash of engagements: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on engagements; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists engagements_trash_idx on public.engagements (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.engagements_trash_idx;
