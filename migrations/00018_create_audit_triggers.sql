-- What counts a row's changes and writes the trail.
-- Locks: none on existing tables.

-- +goose Up

-- bump_version owns the column: whatever a writer says, a change counts one.
-- +goose StatementBegin
create function gatehouse.bump_version() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;
-- +goose StatementEnd

-- The columns whose values the trail keeps in envelopes, and those that it never sees.
-- +goose StatementBegin
create function gatehouse.audited(
    out table_name text, out personal text[], out secret text[]
) returns setof record
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select t, p::text[], s::text[] from (values
        ('organizations', '{}', '{}'),
        ('organization_members', '{}', '{}'),
        ('client_companies', '{address,city,state,zip_code,notes}', '{}'),
        ('contacts', '{first_name,last_name,email,phone,title,notes}', '{}'),
        ('deals', '{description,notes}', '{}'),
        ('proposals', '{content}', '{}'),
        ('contracts', '{signed_by_name,content}', '{signature_data}'),
        ('engagements', '{description}', '{}'),
        ('project_templates', '{}', '{}'),
        ('projects', '{description}', '{}'),
        ('milestones', '{description}', '{}'),
        ('tasks', '{description}', '{}'),
        ('file_objects', '{name,original_name,path}', '{}'),
        ('threads', '{subject}', '{}'),
        ('messages', '{sender_name,content,attachments}', '{}'),
        ('invoice_schedules', '{}', '{}'),
        ('invoices', '{line_items,notes}', '{}'),
        ('payments', '{reference_number,notes}', '{}'),
        ('vendors', '{name,email,phone,address,notes}', '{}'),
        ('bills', '{description,notes,attachment_path}', '{}'),
        ('client_portal_access', '{last_accessed_at}', '{access_token}'),
        ('roles', '{}', '{}'),
        ('role_permissions', '{}', '{}'),
        ('user_roles', '{}', '{}'),
        ('invitations', '{email}', '{token}')) as a (t, p, s)
$$;
-- +goose StatementEnd

-- audit_insert, audit_update and audit_delete are one function over three pairs of before and after. They run once a
-- statement over the rows that it changed, as the owner, and decide nothing by current_user, which is the owner in a
-- cascade. Arguments: the personal and the secret columns.
--
-- Rows are joined by id, which the guard keeps. A nested loop would be chosen for the one row of the first call and
-- be kept for the ten thousand of a cascade, so it is switched off; and since that makes every plan look dear, so is
-- compiling plans, which would take longer than running them.
-- +goose StatementBegin
do $$
declare
    variant record;
begin
    for variant in
        select * from (values
            ('insert', 'new_rows', 'select null::jsonb as before, to_jsonb(n) as after from new_rows n'),
            ('update', 'new_rows', 'select to_jsonb(o) as before, to_jsonb(n) as after from old_rows o join new_rows n on n.id = o.id'),
            ('delete', 'old_rows', 'select to_jsonb(o) as before, null::jsonb as after from old_rows o')
        ) as v (operation, changed, rows)
    loop
        execute format($sql$
create function gatehouse.audit_%1$s() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
    set enable_nestloop = off
    set jit = off
as $audit$
declare
    personal text[] := tg_argv[0];
    secret text[] := tg_argv[1];
    at timestamptz := clock_timestamp();
begin
    if not exists (select from %2$s) then
        return null;
    end if;
    with event as materialized (
        select gen_random_uuid() as id, r.before, r.after, coalesce(r.after, r.before) as present, d.plain
        from (%3$s) r
        cross join lateral (
            select coalesce(jsonb_object_agg(c.key, case
                    when c.key = any (secret) then '{"secret": true}'
                    else jsonb_build_object('from', r.before -> c.key, 'to', r.after -> c.key)
                end), '{}') as plain
            from jsonb_each(coalesce(r.after, r.before)) c
            where nullif(r.before -> c.key, 'null') is distinct from nullif(r.after -> c.key, 'null')
                and not c.key = any (personal)
        ) d
    ), personal_value as materialized (
        select e.id, c.name, v.side, v.value, uuid_send(gen_random_uuid()) as salt
        from event e
        cross join unnest(personal) c (name)
        cross join lateral (values ('from', e.before -> c.name), ('to', e.after -> c.name)) v (side, value)
        where nullif(e.before -> c.name, 'null') is distinct from nullif(e.after -> c.name, 'null')
    ), hashed as (
        select id, jsonb_object_agg(name, sides) as changes
        from (
            select id, name, jsonb_object_agg(side, case when nullif(value, 'null') is not null
                then jsonb_build_object('sha256', encode(sha256(salt || convert_to(value::text, 'UTF8')), 'hex')) end) as sides
            from personal_value group by id, name
        ) s group by id
    ), envelope as (
        insert into public.audit_envelopes (event_id, occurred_at, column_name, side, organization_id, salt, value)
        select p.id, at, p.name, p.side,
            case when tg_table_name = 'organizations' then e.present ->> 'id' else e.present ->> 'organization_id' end,
            p.salt, p.value
        from personal_value p join event e on e.id = p.id
        where nullif(p.value, 'null') is not null
    )
    insert into public.audit_events (id, occurred_at, organization_id, actor_id, session_role, request_id, action,
        table_name, row_id, deletion_id, changes)
    select e.id, at,
        case when tg_table_name = 'organizations' then e.present ->> 'id' else e.present ->> 'organization_id' end,
        gatehouse.actor(), session_user, nullif(current_setting('app.request_id', true), ''),
        case
            when tg_op <> 'UPDATE' then lower(tg_op)
            when e.before ->> 'deleted_at' is null and e.after ->> 'deleted_at' is not null then 'soft_delete'
            when e.before ->> 'deleted_at' is not null and e.after ->> 'deleted_at' is null then 'restore'
            else 'update'
        end,
        tg_table_name, e.present ->> 'id',
        coalesce(e.after ->> 'deletion_id', e.before ->> 'deletion_id')::uuid,
        e.plain || coalesce(h.changes, '{}')
    from event e left join hashed h on h.id = e.id;
    return null;
end
$audit$;
$sql$, variant.operation, variant.changed, variant.rows);
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function gatehouse.install_audit(t text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    columns record;
begin
    select a.personal, a.secret into strict columns from gatehouse.audited() a where a.table_name = t;
    execute format('create or replace trigger %I before update on public.%I for each row execute function gatehouse.bump_version()',
        t || '_version', t);
    execute format('create or replace trigger %I after insert on public.%I referencing new table as new_rows '
        'for each statement execute function gatehouse.audit_insert(%L, %L)', t || '_audit_insert', t, columns.personal, columns.secret);
    execute format('create or replace trigger %I after update on public.%I referencing old table as old_rows new table as new_rows '
        'for each statement execute function gatehouse.audit_update(%L, %L)', t || '_audit_update', t, columns.personal, columns.secret);
    execute format('create or replace trigger %I after delete on public.%I referencing old table as old_rows '
        'for each statement execute function gatehouse.audit_delete(%L, %L)', t || '_audit_delete', t, columns.personal, columns.secret);
end
$$;
-- +goose StatementEnd

-- +goose Down

drop function gatehouse.install_audit(text);
drop function gatehouse.audit_delete();
drop function gatehouse.audit_update();
drop function gatehouse.audit_insert();
drop function gatehouse.audited();
drop function gatehouse.bump_version();
