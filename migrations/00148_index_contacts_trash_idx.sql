-- The trash of contacts: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on contacts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contacts_trash_idx on public.contacts (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.contacts_trash_idx;
