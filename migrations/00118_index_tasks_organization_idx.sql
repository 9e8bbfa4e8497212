-- The rows of tasks of an organization, trashed or not, are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on tasks; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists tasks_organization_idx on public.tasks (organization_id);

-- +goose Down

drop index concurrently if exists public.tasks_organization_idx;
