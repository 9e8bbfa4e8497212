-- The trash of file_objects: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on file_objects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists file_objects_trash_idx on public.file_objects (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.file_objects_trash_idx;
