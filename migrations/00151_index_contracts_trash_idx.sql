-- The trash of contracts: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on contracts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contracts_trash_idx on public.contracts (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.contracts_trash_idx;
