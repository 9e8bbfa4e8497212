-- The rows of invoice_schedules that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on invoice_schedules; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoice_schedules_deletion_idx on public.invoice_schedules (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.invoice_schedules_deletion_idx;
