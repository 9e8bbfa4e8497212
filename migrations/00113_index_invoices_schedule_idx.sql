-- The rows of invoices that refer to a row by schedule_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on invoices; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invoices_schedule_idx on public.invoices (schedule_id);

-- +goose Down

drop index concurrently if exists public.invoices_schedule_idx;
