-- The users of a verified e-mail address, however it is written.
-- Locks: SHARE UPDATE EXCLUSIVE on users; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

create index concurrently if not exists users_email_lower_idx on public.users (lower(email));

-- +goose Down

drop index concurrently if exists public.users_email_lower_idx;
