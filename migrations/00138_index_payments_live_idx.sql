-- Lists of payments: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on payments; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists payments_live_idx on public.payments (organization_id, paid_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.payments_live_idx;
