-- The trash of vendors: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on vendors; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists vendors_trash_idx on public.vendors (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.vendors_trash_idx;
