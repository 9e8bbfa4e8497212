-- The rows of invitations that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on invitations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invitations_deletion_idx on public.invitations (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.invitations_deletion_idx;
