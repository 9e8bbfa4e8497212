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

-- sealed is what an event keeps of a personal value.
-- +goose StatementBegin
create function gatehouse.sealed(salt bytea, value jsonb) returns text
    language sql immutable parallel safe
as $$
    select case when salt is null then 'null'
        else '{"sha256": "' || encode(sha256(salt || convert_to(value::text, 'UTF8')), 'hex') || '"}' end
$$;
-- +goose StatementEnd

-- columns are those of a table, as an audit function's comment keeps them: a function whose table has others since
-- then is written again by the next `migrate up`.
-- +goose StatementBegin
create function gatehouse.columns(t text) returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
as $$
    select string_agg(a.attname || ' ' || a.atttypid::regtype, ', ' order by a.attnum) from pg_attribute a
    where a.attrelid = format('public.%I', t)::regclass and a.attnum > 0 and not a.attisdropped
$$;
-- +goose StatementEnd

-- install_audit writes the version trigger and the three functions that audit one table, from the table's columns:
-- comparing columns by name is a hundred times cheaper than taking two rows apart. A change of the table's columns
-- asks for it to be called again.
--
-- The functions run once a statement over the rows that it changed, as the owner, and decide nothing by
-- current_user, which is the owner in a cascade. Old and new rows are brought together by id, which the guard keeps;
-- by a full join, since that is never a nested loop: one would be planned for the first call's single row and be kept
-- for a cascade's ten thousand. Changes are written as text and read once, instead of being put together piece by
-- piece. Plans are not compiled: it takes longer than running them.
-- +goose StatementBegin
create function gatehouse.install_audit(t text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $install$
declare
    operation text;
    audited record;
    c record;
    rows text;              -- where a row's old and new form come from
    present text;           -- the form that says which row it is
    changed text;           -- whether a column's value has changed
    old_json text;          -- the column's value
    new_json text;
    plain text[];           -- what an event says of ordinary columns
    personal_changed text[];
    personal_values text[]; -- both values of a personal column, and a salt for each that there is
    envelopes text[];
    seals text[];           -- what an event says of personal columns
    action text;
    event text;
    target constant text := 'public.audit_events (id, occurred_at, organization_id, actor_id, session_role, request_id, action, '
        'table_name, row_id, deletion_id, changes)';
begin
    select a.personal, a.secret into strict audited from gatehouse.audited() a where a.table_name = t;

    execute format('create or replace trigger %I before update on public.%I for each row execute function gatehouse.bump_version()',
        t || '_version', t);

    foreach operation in array array['insert', 'update', 'delete'] loop
        rows := case operation when 'insert' then 'new_rows n' when 'delete' then 'old_rows o'
            else 'old_rows o full join new_rows n on n.id = o.id' end;
        present := case operation when 'delete' then 'o' else 'n' end;
        plain := '{}';
        personal_changed := '{}';
        personal_values := '{}';
        envelopes := '{}';
        seals := '{}';

        for c in
            select a.attname as name, quote_literal(to_json(a.attname::text)::text || ': ') as label,
                -- Types that know no equality are compared as text.
                case when a.atttypid in ('json'::regtype, 'xml'::regtype, 'point'::regtype) then '::text' else '' end as compared
            from pg_attribute a
            where a.attrelid = format('public.%I', t)::regclass and a.attnum > 0 and not a.attisdropped
            order by a.attnum
        loop
            changed := format(case operation
                when 'insert' then 'n.%1$I is not null'
                when 'delete' then 'o.%1$I is not null'
                else 'o.%1$I%2$s is distinct from n.%1$I%2$s' end, c.name, c.compared);
            old_json := case operation when 'insert' then $$'null'$$ else format($$coalesce(to_json(o.%I)::text, 'null')$$, c.name) end;
            new_json := case operation when 'delete' then $$'null'$$ else format($$coalesce(to_json(n.%I)::text, 'null')$$, c.name) end;
            if c.name = any (audited.secret) then
                plain := plain || format($$case when %s then %s || '{"secret": true}' end$$, changed, c.label);
            elsif c.name = any (audited.personal) then
                personal_changed := personal_changed || format('(%s)', changed);
                personal_values := personal_values
                    || format(case operation when 'insert' then 'null::jsonb as %2$I, null::bytea as %3$I'
                        else 'to_jsonb(o.%1$I) as %2$I, case when %4$s and o.%1$I is not null then uuid_send(gen_random_uuid()) end as %3$I' end,
                        c.name, 'from_' || c.name, 'from_salt_' || c.name, changed)
                    || format(case operation when 'delete' then 'null::jsonb as %2$I, null::bytea as %3$I'
                        else 'to_jsonb(n.%1$I) as %2$I, case when %4$s and n.%1$I is not null then uuid_send(gen_random_uuid()) end as %3$I' end,
                        c.name, 'to_' || c.name, 'to_salt_' || c.name, changed);
                envelopes := envelopes || format($$(%1$L, 'from', e.%2$I, e.%3$I), (%1$L, 'to', e.%4$I, e.%5$I)$$,
                    c.name, 'from_salt_' || c.name, 'from_' || c.name, 'to_salt_' || c.name, 'to_' || c.name);
                seals := seals || format(
                    $$case when coalesce(e.%1$I, e.%3$I) is not null then %5$s || '{"from": ' || gatehouse.sealed(e.%1$I, e.%2$I) || ', "to": ' || gatehouse.sealed(e.%3$I, e.%4$I) || '}' end$$,
                    'from_salt_' || c.name, 'from_' || c.name, 'to_salt_' || c.name, 'to_' || c.name, c.label);
            else
                plain := plain || format($$case when %s then %s || '{"from": ' || %s || ', "to": ' || %s || '}' end$$, changed, c.label, old_json, new_json);
            end if;
        end loop;

        action := case operation
            when 'update' then $$case when o.deleted_at is null and n.deleted_at is not null then 'soft_delete'
                when o.deleted_at is not null and n.deleted_at is null then 'restore' else 'update' end$$
            else quote_literal(operation) end;
        event := format($$gen_random_uuid() as id, %1$s.%2$I as organization_id, %1$s.id as row_id, %3$s as deletion_id, %4$s as action,
            concat_ws(', ', %5$s) as plain$$,
            present, case t when 'organizations' then 'id' else 'organization_id' end,
            case operation when 'update' then 'coalesce(n.deletion_id, o.deletion_id)' else present || '.deletion_id' end,
            action, array_to_string(plain, E',\n                '));

        execute format($sql$
create or replace function gatehouse.%1$I() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
    set jit = off
as $audit$
declare
    at timestamptz := clock_timestamp();
    actor varchar := gatehouse.actor();
    request text := nullif(current_setting('app.request_id', true), '');
begin
    %2$s
    insert into %3$s
    select e.id, at, e.organization_id, actor, session_user, request, e.action, tg_table_name, e.row_id, e.deletion_id, ('{' || e.plain || '}')::jsonb
    from (
        select %4$s
        from %5$s
    ) e;
    return null;
end
$audit$;
$sql$,
            t || '_audit_' || operation,
            case when seals = '{}' then '' else format($sql$if exists (select from %1$s where %2$s) then
        with e as materialized (
            select %3$s,
                %4$s
            from %1$s
        ), envelope as (
            insert into public.audit_envelopes (event_id, occurred_at, column_name, side, organization_id, salt, value)
            select e.id, at, v.name, v.side, e.organization_id, v.salt, v.value
            from e cross join lateral (values %5$s) v (name, side, salt, value)
            where v.salt is not null
        )
        insert into %6$s
        select e.id, at, e.organization_id, actor, session_user, request, e.action, tg_table_name, e.row_id, e.deletion_id,
            ('{' || concat_ws(', ', nullif(e.plain, ''),
                %7$s) || '}')::jsonb
        from e;
        return null;
    end if;$sql$,
                rows, array_to_string(personal_changed, ' or '), event, array_to_string(personal_values, E',\n                '),
                array_to_string(envelopes, ', '), target, array_to_string(seals, E',\n                ')) end,
            target, event, rows);

        execute format('create or replace trigger %1$I after %2$s on public.%3$I referencing %4$s for each statement execute function gatehouse.%1$I()',
            t || '_audit_' || operation, operation, t, case operation
                when 'insert' then 'new table as new_rows'
                when 'delete' then 'old table as old_rows'
                else 'old table as old_rows new table as new_rows' end);
        execute format('revoke all on function gatehouse.%I() from public', t || '_audit_' || operation);
        execute format('comment on function gatehouse.%I() is %L', t || '_audit_' || operation, gatehouse.columns(t));
    end loop;
end
$install$;
-- +goose StatementEnd

-- +goose Down

drop function gatehouse.install_audit(text);
drop function gatehouse.columns(text);
drop function gatehouse.sealed(bytea, jsonb);
drop function gatehouse.audited();
drop function gatehouse.bump_version();
