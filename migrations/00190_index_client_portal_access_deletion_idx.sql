-- The rows of client_portal_access that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on client_portal_access; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_portal_access_deletion_idx on public.client_portal_access (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.client_portal_access_deletion_idx;
