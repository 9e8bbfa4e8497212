-- The rows of bills that refer to a row by vendor_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on bills; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists bills_vendor_idx on public.bills (vendor_id);

-- +goose Down

drop index concurrently if exists public.bills_vendor_idx;
