-- The rows of invitations that refer to a row by role_id are found without reading the table.
-- Locks: SHARE UPDATE EXCLUSIVE on invitations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invitations_role_idx on public.invitations (role_id);

-- +goose Down

drop index concurrently if exists public.invitations_role_idx;
