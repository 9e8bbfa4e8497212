-- The trash of payments: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on payments; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists payments_trash_idx on public.payments (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.payments_trash_idx;
