-- Lists of tasks: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on tasks; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists tasks_live_idx on public.tasks (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.tasks_live_idx;
