-- The trash of messages: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on messages; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists messages_trash_idx on public.messages (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.messages_trash_idx;
