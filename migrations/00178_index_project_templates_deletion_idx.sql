-- The rows of project_templates that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on project_templates; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists project_templates_deletion_idx on public.project_templates (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.project_templates_deletion_idx;
