-- The rows of organizations that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on organizations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists organizations_deletion_idx on public.organizations (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.organizations_deletion_idx;
