-- The rows of proposals that refer to a row by client_company_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on proposals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists proposals_client_company_idx on public.proposals (client_company_id);

-- +goose Down

drop index concurrently if exists public.proposals_client_company_idx;
