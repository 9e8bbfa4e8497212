-- The trash of projects: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on projects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists projects_trash_idx on public.projects (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.projects_trash_idx;
