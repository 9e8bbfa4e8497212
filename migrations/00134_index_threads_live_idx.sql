-- Lists of threads: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on threads; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists threads_live_idx on public.threads (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.threads_live_idx;
