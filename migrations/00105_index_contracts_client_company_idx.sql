-- The rows of contracts that refer to a row by client_company_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on contracts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contracts_client_company_idx on public.contracts (client_company_id);

-- +goose Down

drop index concurrently if exists public.contracts_client_company_idx;
