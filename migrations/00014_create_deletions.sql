-- One row a deletion: what it began at, who, why, and how many rows of each kind it took, gave back and lost.
-- Locks: none on existing tables.

-- +goose Up

create table public.deletions (
    id uuid primary key,
    organization_id varchar not null,
    root_kind text not null,
    root_id varchar not null,
    actor_id varchar not null,
    reason text,
    deleted_at timestamptz not null,
    counts jsonb not null,
    restored jsonb not null default '{}',
    purged jsonb not null default '{}',
    state text not null,
    constraint deletions_state_known check (state in ('trashed', 'partial', 'restored', 'purged'))
);
create index deletions_trash_idx on public.deletions (organization_id, deleted_at desc, id desc);
create index deletions_actor_idx on public.deletions (organization_id, actor_id, deleted_at desc, id desc);
create index deletions_root_idx on public.deletions (organization_id, root_kind, root_id);

-- +goose Down

drop table public.deletions;
