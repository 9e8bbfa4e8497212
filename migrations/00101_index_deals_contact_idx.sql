-- The rows of deals that refer to a row by contact_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on deals; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists deals_contact_idx on public.deals (contact_id);

-- +goose Down

drop index concurrently if exists public.deals_contact_idx;
