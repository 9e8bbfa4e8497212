-- Whom an identity provider means: written by gatehouse.enter alone.
-- Locks: none on existing tables.

-- +goose Up

create table public.user_identities (
    issuer text not null,
    subject text not null,
    user_id varchar not null,
    created_at timestamptz not null default now(),
    primary key (issuer, subject),
    -- A provider means a person by one subject.
    constraint user_identities_user_key unique (user_id, issuer)
);

-- +goose Down

drop table public.user_identities;
