-- What lets the old app work on beside the backend, under a role of its own: it sees live rows of all organizations,
-- and what it deletes is marked as deleted. Nothing is installed here: `backend migrate up --old-role` does that.
-- Locks: none on existing tables.

-- +goose Up

-- The kind of a table's rows, as the API calls it.
-- +goose StatementBegin
create function gatehouse.kind(t text) returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select case t
        when 'organization_members' then 'members'
        when 'client_companies' then 'clients'
        when 'file_objects' then 'files'
        when 'client_portal_access' then 'portal-access'
        else replace(t, '_', '-')
    end
$$;
-- +goose StatementEnd

-- trash_tree marks a row and what belongs to it as one deletion: a statement a table, parents first. An organization
-- is a gate: it takes nothing along. What a deletion destroys, it destroys: tokens, and pending invitations.
-- +goose StatementBegin
create function gatehouse.trash_tree(root_table text, root_id varchar, organization varchar, actor varchar) returns uuid
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    deletion uuid := gen_random_uuid();
    at timestamptz := clock_timestamp();
    counts jsonb := '{}';
    t text;
    edge record;
    belongs text;
    extra text;
    hit bigint;
begin
    foreach t in array gatehouse.trashable() loop
        belongs := case when t = root_table then 'id = $4' end;
        for edge in
            select a.attname as key, p.relname as parent
            from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            join pg_class p on p.oid = c.confrelid
            where c.contype = 'f' and c.confdeltype = 'c' and c.conrelid = format('public.%I', t)::regclass
                and p.relname = any (gatehouse.trashable()) and p.relname <> 'organizations'
                and counts ? gatehouse.kind(p.relname)
        loop
            belongs := concat_ws(' or ', belongs,
                format('%I in (select p.id from public.%I p where p.deletion_id = $1)', edge.key, edge.parent));
        end loop;
        continue when belongs is null;
        extra := case t
            when 'client_portal_access' then $x$, access_token = 'revoked-' || gen_random_uuid()$x$
            when 'invitations' then $x$, token = 'revoked-' || gen_random_uuid(), status = case status when 'pending' then 'revoked' else status end$x$
            else '' end;
        execute format('update public.%I set deletion_id = $1, deleted_at = $2, deleted_by = $3%s where deleted_at is null and (%s)', t, extra, belongs)
            using deletion, at, actor, root_id;
        get diagnostics hit = row_count;
        if hit > 0 then
            counts := counts || jsonb_build_object(gatehouse.kind(t), hit);
        end if;
    end loop;
    insert into public.deletions (id, organization_id, root_kind, root_id, actor_id, deleted_at, counts, state)
    values (deletion, organization, gatehouse.kind(root_table), root_id, actor, at, counts, 'trashed');
    return deletion;
end
$$;
-- +goose StatementEnd

-- old_app_delete turns a DELETE of the old app's login into a deletion. Everybody else's goes through, as do cascades.
-- +goose StatementBegin
create function gatehouse.old_app_delete() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if session_user <> tg_argv[0] then
        return old;
    end if;
    if old.deleted_at is null then
        perform gatehouse.trash_tree(tg_table_name, old.id,
            coalesce(to_jsonb(old) ->> 'organization_id', old.id), session_user::varchar);
    end if;
    return null;
end
$$;
-- +goose StatementEnd

-- install_old_app gives a role its view of one table, and drop_old_app takes it back.
-- +goose StatementBegin
create function gatehouse.install_old_app(t text, old_role name) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform gatehouse.drop_old_app(t);
    if t = any (gatehouse.trashable()) then
        execute format('create policy %I on public.%I to %I using (deleted_at is null) with check (true)', t || '_old_app', t, old_role);
        execute format('create trigger %I before delete on public.%I for each row execute function gatehouse.old_app_delete(%L)',
            t || '_old_app', t, old_role);
        execute format('revoke truncate on public.%I from %I', t, old_role);
    else
        execute format('create policy %I on public.%I to %I using (true) with check (true)', t || '_old_app', t, old_role);
    end if;
end
$$;
-- +goose StatementEnd

-- +goose StatementBegin
create function gatehouse.drop_old_app(t text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('drop policy if exists %I on public.%I', t || '_old_app', t);
    execute format('drop trigger if exists %I on public.%I', t || '_old_app', t);
end
$$;
-- +goose StatementEnd

revoke all on function gatehouse.trash_tree(text, varchar, varchar, varchar) from public;

-- +goose Down

-- +goose StatementBegin
do $$
begin
    perform gatehouse.drop_old_app(t) from unnest(gatehouse.trashable() || array['users']) t;
end
$$;
-- +goose StatementEnd

drop function gatehouse.drop_old_app(text);
drop function gatehouse.install_old_app(text, name);
drop function gatehouse.old_app_delete();
drop function gatehouse.trash_tree(text, varchar, varchar, varchar);
drop function gatehouse.kind(text);
