-- The rows of contacts that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on contacts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contacts_deletion_idx on public.contacts (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.contacts_deletion_idx;
