-- Lists of bills: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on bills; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists bills_live_idx on public.bills (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.bills_live_idx;
