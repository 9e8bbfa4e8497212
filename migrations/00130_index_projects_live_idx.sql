-- Lists of projects: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on projects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists projects_live_idx on public.projects (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.projects_live_idx;
