-- The trash of milestones: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on milestones; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists milestones_trash_idx on public.milestones (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.milestones_trash_idx;
