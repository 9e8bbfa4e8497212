-- What the application, its jobs and an auditor may do. The application removes nothing and reads no secret; it
-- writes secrets, since a deletion overwrites tokens.
-- Locks: none that readers or writers notice.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
    readable text;
    hidden text[];
begin
    grant usage on schema public, gatehouse to gatehouse_app, gatehouse_jobs, gatehouse_auditor;
    foreach t in array gatehouse.trashable() || array['users', 'permissions'] loop
        select coalesce(a.secret, case when t = 'users' then '{password_hash}'::text[] else '{}' end) into hidden
        from (select 1) one left join gatehouse.audited() a on a.table_name = t;
        select string_agg(quote_ident(attname), ', ' order by attnum) into readable from pg_attribute
        where attrelid = to_regclass(format('public.%I', t)) and attnum > 0 and not attisdropped and not attname = any (hidden);
        if cardinality(hidden) > 0 then
            execute format('grant select (%s) on public.%I to gatehouse_app, gatehouse_jobs', readable, t);
        else
            execute format('grant select on public.%I to gatehouse_app, gatehouse_jobs', t);
        end if;
        if t = any (gatehouse.trashable()) then
            execute format('grant insert, update on public.%I to gatehouse_app, gatehouse_jobs', t);
            execute format('grant delete on public.%I to gatehouse_jobs', t);
        end if;
    end loop;
end
$$;
-- +goose StatementEnd

grant select, insert, update on public.deletions to gatehouse_app, gatehouse_jobs;
grant select, insert, update, delete on public.idempotency_keys to gatehouse_app, gatehouse_jobs;
grant select on public.user_identities to gatehouse_app;
grant select on public.audit_events to gatehouse_app, gatehouse_jobs, gatehouse_auditor;
grant select on public.audit_envelopes to gatehouse_app, gatehouse_jobs, gatehouse_auditor;
grant delete on public.audit_envelopes to gatehouse_jobs;
grant select on public.gatehouse_migrations to gatehouse_app, gatehouse_jobs;

-- Everybody may execute what is created, and everybody may make a temporary table: with a trigger of ours on one, its
-- rows would reach the trail and the Trash with the owner's rights. Firing a trigger asks for no right to its function.
revoke all on all functions in schema gatehouse from public;
grant execute on function gatehouse.organization(), gatehouse.actor() to gatehouse_app, gatehouse_jobs;
grant execute on function gatehouse.enter(text, text, text, text, text) to gatehouse_app;
grant execute on function gatehouse.prepare_audit_partitions(integer) to gatehouse_jobs;

-- +goose Down

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array gatehouse.trashable() || array['users', 'permissions', 'deletions', 'idempotency_keys', 'user_identities',
        'audit_events', 'audit_envelopes', 'gatehouse_migrations']
    loop
        execute format('revoke all on public.%I from gatehouse_app, gatehouse_jobs, gatehouse_auditor', t);
    end loop;
    revoke all on all functions in schema gatehouse from gatehouse_app, gatehouse_jobs, gatehouse_auditor;
    revoke all on schema public, gatehouse from gatehouse_app, gatehouse_jobs, gatehouse_auditor;
end
$$;
-- +goose StatementEnd
