-- The rows of user_roles that one deletion took along.
-- Locks: SHARE UPDATE EXCLUSIVE on user_roles; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists user_roles_deletion_idx on public.user_roles (deletion_id) where deletion_id is not null;

-- +goose Down

drop index concurrently if exists public.user_roles_deletion_idx;
