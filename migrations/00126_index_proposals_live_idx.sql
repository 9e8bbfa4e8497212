-- Lists of proposals: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on proposals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists proposals_live_idx on public.proposals (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.proposals_live_idx;
