-- Lists of client_companies: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on client_companies; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists client_companies_live_idx on public.client_companies (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.client_companies_live_idx;
