-- Lists of engagements: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on engagements; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists engagements_live_idx on public.engagements (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.engagements_live_idx;
