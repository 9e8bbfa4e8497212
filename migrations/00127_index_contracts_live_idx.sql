-- Lists of contracts: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on contracts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contracts_live_idx on public.contracts (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.contracts_live_idx;
