-- The rows of projects that refer to a row by template_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on projects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists projects_template_idx on public.projects (template_id);

-- +goose Down

drop index concurrently if exists public.projects_template_idx;
