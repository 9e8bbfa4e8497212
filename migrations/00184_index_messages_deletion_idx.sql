-- The rows of messages that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on messages; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists messages_deletion_idx on public.messages (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.messages_deletion_idx;
