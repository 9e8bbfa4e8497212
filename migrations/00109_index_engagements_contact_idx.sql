-- The rows of engagements that refer to a row by contact_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on engagements; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists engagements_contact_idx on public.engagements (contact_id);

-- +goose Down

drop index concurrently if exists public.engagements_contact_idx;
