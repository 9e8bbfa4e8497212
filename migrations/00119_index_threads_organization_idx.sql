-- The rows of threads of an organization, trashed or not, are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on threads; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists threads_organization_idx on public.threads (organization_id);

-- +goose Down

drop index concurrently if exists public.threads_organization_idx;
