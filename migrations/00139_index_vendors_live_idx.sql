-- Lists of vendors: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on vendors; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists vendors_live_idx on public.vendors (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.vendors_live_idx;
