-- The rows of engagements that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on engagements; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists engagements_deletion_idx on public.engagements (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.engagements_deletion_idx;
