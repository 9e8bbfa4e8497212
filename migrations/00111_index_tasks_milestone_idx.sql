-- The rows of tasks that refer to a row by milestone_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on tasks; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists tasks_milestone_idx on public.tasks (milestone_id);

-- +goose Down

drop index concurrently if exists public.tasks_milestone_idx;
