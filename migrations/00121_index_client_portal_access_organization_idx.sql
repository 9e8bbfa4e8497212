-- The rows of client_portal_access of an organization, trashed or not, are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on client_portal_access; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_portal_access_organization_idx on public.client_portal_access (organization_id);

-- +goose Down

drop index concurrently if exists public.client_portal_access_organization_idx;
