-- What writes the guards of migration 11.
-- Locks: none on existing tables.

-- +goose Up

-- refuse_reference says which reference is not there, and never to what it was to refer: absent, trashed and foreign
-- rows answer alike.
-- +goose StatementBegin
create function gatehouse.refuse_reference(child text, key text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'foreign_key_violation',
        message = format('%s.%s refers to no live row of the same organization', child, key),
        schema = 'public', table = child, column = key, constraint = format('%s_%s_live', child, key);
end
$$;
-- +goose StatementEnd

-- refuse_change is for what stays as it was written.
-- +goose StatementBegin
create function gatehouse.refuse_change(child text, key text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using
        errcode = 'check_violation',
        message = format('%s.%s cannot be changed', child, key),
        schema = 'public', table = child, column = key, constraint = format('%s_%s_fixed', child, key);
end
$$;
-- +goose StatementEnd

-- install_guard writes the guard of one table from its foreign keys: a function of the table's own, so that its
-- queries are planned once, and the trigger. A new foreign key asks for it to be called again.
--
-- The guard reads each new reference FOR SHARE, so that a parent is not deleted while it gets a child: whoever
-- comes second waits, and sees what the first has done. It runs as the owner, which row-level security does not
-- blind; it tells nobody what it saw, and nobody may put it on a table of their own. Marking as deleted and restoring
-- do not wake it. A row that is written as trashed may refer to trashed rows: that is how a cascade leaves it.
-- +goose StatementBegin
create function gatehouse.install_guard(child text) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $install$
declare
    edge record;
    watched text := 'id';
    fill text := '';
    filled text := '';
    check_each text := '';
    organization text := '';
begin
    for edge in
        select a.attname as key, p.relname as parent
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        join pg_class p on p.oid = c.confrelid
        where c.contype = 'f' and c.conrelid = format('public.%I', child)::regclass and cardinality(c.conkey) = 1
            and p.relnamespace = 'public'::regnamespace and p.relname = any (gatehouse.trashable()) and p.relname <> 'organizations'
        order by a.attnum
    loop
        watched := watched || format(', %I', edge.key);
        fill := fill || format($sql$
        if new.organization_id is null and new.%1$I is not null then
            select p.organization_id into new.organization_id from public.%2$I p where p.id = new.%1$I;
        end if;$sql$, edge.key, edge.parent);
        filled := filled || format($sql$
        if new.%1$I is not null and not exists (
            select from public.%2$I p where p.id = new.%1$I and p.organization_id = new.organization_id
        ) then
            perform gatehouse.refuse_reference(%3$L, %4$L);
        end if;$sql$, edge.key, edge.parent, child, edge.key);
        check_each := check_each || format($sql$
    if new.%1$I is not null and (tg_op = 'INSERT' or new.%1$I is distinct from old.%1$I) then
        perform from public.%2$I p
        where p.id = new.%1$I and p.organization_id = new.organization_id
            and (p.deleted_at is null or new.deleted_at is not null)
        for share;
        if not found then
            perform gatehouse.refuse_reference(%3$L, %4$L);
        end if;
    end if;$sql$, edge.key, edge.parent, child, edge.key);
    end loop;

    if child <> 'organizations' then
        watched := watched || ', organization_id';
        organization := format($sql$
        if new.organization_id is null or old.organization_id is null then%1$s%2$s
        end if;
        if new.organization_id is distinct from old.organization_id and old.organization_id is not null then
            perform gatehouse.refuse_change(%3$L, 'organization_id');
        end if;$sql$, fill, filled, child);
    end if;

    execute format($sql$
create or replace function gatehouse.%1$I() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $guard$
begin
    if tg_op = 'INSERT' then
        new.created_by := coalesce(new.created_by, gatehouse.actor());%2$s
    else
        if new.id is distinct from old.id then
            perform gatehouse.refuse_change(%3$L, 'id');
        end if;%4$s
    end if;
%5$s
    return new;
end
$guard$;
$sql$, child || '_guard', fill, child, organization, check_each);

    execute format('revoke all on function gatehouse.%I() from public', child || '_guard');
    execute format('create or replace trigger %1$I before insert or update of %2$s on public.%3$I for each row execute function gatehouse.%1$I()',
        child || '_guard', watched, child);
end
$install$;
-- +goose StatementEnd

-- +goose Down

drop function gatehouse.install_guard(text);
drop function gatehouse.refuse_change(text, text);
drop function gatehouse.refuse_reference(text, text);
