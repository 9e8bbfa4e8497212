-- Lists of file_objects: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on file_objects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists file_objects_live_idx on public.file_objects (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.file_objects_live_idx;
