-- The rows of file_objects that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on file_objects; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists file_objects_deletion_idx on public.file_objects (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.file_objects_deletion_idx;
