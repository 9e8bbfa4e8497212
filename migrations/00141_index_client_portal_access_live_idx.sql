-- Lists of client_portal_access: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on client_portal_access; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_portal_access_live_idx on public.client_portal_access (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.client_portal_access_live_idx;
