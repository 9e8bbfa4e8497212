-- The trash of threads: the rows of an organization that were deleted last.
-- Locks: SHARE UPDATE EXCLUSIVE on threads; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists threads_trash_idx on public.threads (organization_id, deleted_at desc, id desc) where deleted_at is not null;

-- +goose Down

drop index concurrently if exists public.threads_trash_idx;
