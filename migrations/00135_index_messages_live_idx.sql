-- Lists of messages: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on messages; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists messages_live_idx on public.messages (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.messages_live_idx;
