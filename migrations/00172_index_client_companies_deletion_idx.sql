-- The rows of client_companies that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on client_companies; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_companies_deletion_idx on public.client_companies (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.client_companies_deletion_idx;
