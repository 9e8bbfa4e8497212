-- Lists of deals: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on deals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists deals_live_idx on public.deals (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.deals_live_idx;
