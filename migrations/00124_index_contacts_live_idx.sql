-- Lists of contacts: the newest live rows of an organization.
-- Locks: SHARE UPDATE EXCLUSIVE on contacts; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists contacts_live_idx on public.contacts (organization_id, created_at desc, id desc) where deleted_at is null;

-- +goose Down

drop index concurrently if exists public.contacts_live_idx;
