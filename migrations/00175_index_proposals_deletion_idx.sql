-- The rows of proposals that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on proposals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists proposals_deletion_idx on public.proposals (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.proposals_deletion_idx;
