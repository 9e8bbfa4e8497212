-- The trash of client_companies: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on client_companies; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_companies_trash_idx on public.client_companies (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.client_companies_trash_idx;
