-- The trash of deals: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on deals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists deals_trash_idx on public.deals (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.deals_trash_idx;
