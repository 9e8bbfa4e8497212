-- The trash of invitations: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on invitations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invitations_trash_idx on public.invitations (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.invitations_trash_idx;
