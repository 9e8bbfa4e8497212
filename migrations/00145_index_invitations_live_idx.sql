-- Lists of invitations: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on invitations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists invitations_live_idx on public.invitations (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.invitations_live_idx;
