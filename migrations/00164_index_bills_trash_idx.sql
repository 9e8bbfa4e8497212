-- The trash of bills: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on bills; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists bills_trash_idx on public.bills (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.bills_trash_idx;
