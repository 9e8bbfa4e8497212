-- The rows of milestones that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on milestones; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists milestones_deletion_idx on public.milestones (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.milestones_deletion_idx;
