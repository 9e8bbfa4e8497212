-- Lists of milestones: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on milestones; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists milestones_live_idx on public.milestones (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.milestones_live_idx;
