-- The rows of contracts that refer to a row by contact_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on contracts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contracts_contact_idx on public.contracts (contact_id);

-- +goose Down

drop index concurrently if exists public.contracts_contact_idx;
