-- Lists of project_templates: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on project_templates; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists project_templates_live_idx on public.project_templates (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.project_templates_live_idx;
