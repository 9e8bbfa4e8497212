-- What migrations 4 and 5 promised for new rows holds for the old ones too.
-- Locks: SHARE UPDATE EXCLUSIVE on activity_events and outbox, ROW SHARE on organizations; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

alter table public.activity_events validate constraint activity_events_organization_id_kept;
alter table public.outbox validate constraint outbox_organization_id_kept;

-- +goose Down

select 'validation is not undone';
