-- Whom an identity provider means: written by gatehouse.enter alone.
-- Locks: none on existing tables.

-- +goose Up

create table public.user_identities (
    issuer text not null,
    subject text not null,
    user_id varchar not null,
    created_at timestamptz not null default now(),
    primary key (issuer, subject)
);
create index user_identities_user_idx on public.user_identities (user_id);

-- +goose Down

drop table public.user_identities;
