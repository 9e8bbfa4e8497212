-- The trash of tasks: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on tasks; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists tasks_trash_idx on public.tasks (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.tasks_trash_idx;
