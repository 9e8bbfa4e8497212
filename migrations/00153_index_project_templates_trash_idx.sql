-- The trash of project_templates: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on project_templates; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists project_templates_trash_idx on public.project_templates (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.project_templates_trash_idx;
