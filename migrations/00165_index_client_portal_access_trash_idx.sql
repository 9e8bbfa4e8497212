-- The trash of client_portal_access: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on client_portal_access; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_portal_access_trash_idx on public.client_portal_access (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.client_portal_access_trash_idx;
