-- The trail: one row for each change of a row, in the transaction of the change, never altered after.
-- Locks: none on existing tables.

-- +goose Up

create table public.audit_events (
    id uuid not null,
    occurred_at timestamptz not null,
    organization_id varchar,
    actor_id varchar,
    session_role name not null,
    request_id text,
    action text not null,
    table_name text not null,
    row_id varchar not null,
    deletion_id uuid,
    -- {"column": {"from": …, "to": …}}; a secret is {"secret": true}, a personal value {"sha256": …}.
    changes jsonb not null,
    -- Given by the sealer; null until then.
    position bigint,
    constraint audit_events_action_known check (action in ('insert', 'update', 'soft_delete', 'restore', 'delete')),
    primary key (occurred_at, id)
) partition by range (occurred_at);
create index audit_events_row_idx on public.audit_events (organization_id, table_name, row_id, occurred_at desc);

-- Rows come here when nobody has made their month's partition. It is to stay empty.
create table public.audit_events_default partition of public.audit_events default;

-- The personal values of events. The event keeps sha256(salt || value::text): with the envelope gone the value is
-- gone, and the proof still verifies.
create table public.audit_envelopes (
    event_id uuid not null,
    occurred_at timestamptz not null,
    column_name text not null,
    side text not null,
    organization_id varchar,
    salt bytea not null,
    value jsonb not null,
    constraint audit_envelopes_side_known check (side in ('from', 'to')),
    primary key (occurred_at, event_id, column_name, side)
);

-- +goose StatementBegin
create function gatehouse.refuse_audit_change() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'insufficient_privilege',
        message = format('%s is append-only: %s is refused', tg_table_name, lower(tg_op));
end
$$;
-- +goose StatementEnd

-- The row trigger is cloned to every partition; TRUNCATE asks for one on each.
create trigger audit_events_append_only before update or delete on public.audit_events
    for each row execute function gatehouse.refuse_audit_change();
create trigger audit_events_no_truncate before truncate on public.audit_events
    for each statement execute function gatehouse.refuse_audit_change();
create trigger audit_events_default_no_truncate before truncate on public.audit_events_default
    for each statement execute function gatehouse.refuse_audit_change();

-- prepare_audit_partitions makes the partitions of this month and of the next ones that are missing, and says how
-- many rows have gone to the default partition: more than none is an alarm. A month of which some are there stays with
-- that. Attaching takes no lock that writers of the other partitions notice.
-- +goose StatementBegin
create function gatehouse.prepare_audit_partitions(ahead integer default 3) returns bigint
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $$
declare
    month timestamptz;
    part text;
    strays bigint;
begin
    for month in select generate_series(date_trunc('month', now()), date_trunc('month', now()) + make_interval(months => ahead), '1 month') loop
        part := 'audit_events_' || to_char(month, 'YYYY_MM');
        continue when to_regclass('public.' || part) is not null;
        begin
            execute format('create table public.%I (like public.audit_events including defaults including constraints)', part);
            execute format('create trigger %I before truncate on public.%I for each statement execute function gatehouse.refuse_audit_change()',
                part || '_no_truncate', part);
            execute format('alter table public.audit_events attach partition public.%I for values from (%L) to (%L)',
                part, month, month + interval '1 month');
        exception when check_violation then
            null;
        end;
    end loop;
    select count(*) into strays from public.audit_events_default;
    return strays;
end
$$;
-- +goose StatementEnd

select gatehouse.prepare_audit_partitions();

-- +goose Down

drop table public.audit_envelopes;
drop table public.audit_events;
drop function gatehouse.prepare_audit_partitions(integer);
drop function gatehouse.refuse_audit_change();
