-- What a request with an Idempotency-Key has made, kept for a day; the answer is rendered again and no body is stored.
-- Locks: none on existing tables.

-- +goose Up

create table public.idempotency_keys (
    organization_id varchar not null,
    actor_id varchar not null,
    key text not null,
    request_hash bytea not null,
    kind text,
    row_id varchar,
    status integer,
    created_at timestamptz not null default now(),
    primary key (organization_id, actor_id, key)
);
create index idempotency_keys_created_idx on public.idempotency_keys (created_at);

-- +goose Down

drop table public.idempotency_keys;
