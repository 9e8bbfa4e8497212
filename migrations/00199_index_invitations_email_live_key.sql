-- An address has one pending invitation to an organization, however it is written.
-- Locks: SHARE UPDATE EXCLUSIVE on invitations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create unique index concurrently if not exists invitations_email_live_key on public.invitations (organization_id, lower(email)) where deleted_at is null and status = 'pending';

-- +goose Down

drop index concurrently if exists public.invitations_email_live_key;
