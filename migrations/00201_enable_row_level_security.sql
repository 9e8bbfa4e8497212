-- A transaction of the application sees and writes rows of the organization that it entered, and without one none.
-- Enabled and not forced: forcing it would blind the owner's back-fills, let VALIDATE pass over rows it cannot see,
-- and break dumps. deleted_at is no part of a policy: a row that leaves the policy's view cannot be updated out of it.
-- Locks: ACCESS EXCLUSIVE on each of the tables in turn, for a change of the catalogue.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
    mine text;
begin
    foreach t in array gatehouse.trashable() || array['deletions', 'idempotency_keys', 'audit_events', 'audit_envelopes', 'users', 'user_identities'] loop
        mine := case t
            when 'organizations' then 'id = gatehouse.organization()'
            when 'user_identities' then 'user_id = gatehouse.actor()'
            -- Oneself, and the people of the organization.
            when 'users' then 'id = gatehouse.actor() or exists (select from public.organization_members m '
                'where m.user_id = users.id and m.organization_id = gatehouse.organization() and m.deleted_at is null)'
            else 'organization_id = gatehouse.organization()'
        end;
        execute format('drop policy if exists %I on public.%I', t || '_organization', t);
        execute format('create policy %I on public.%I to gatehouse_app, gatehouse_jobs using (%s) with check (%3$s)',
            t || '_organization', t, mine);
        execute format('alter table public.%I enable row level security', t);
        commit;
    end loop;
end
$$;
-- +goose StatementEnd

drop policy if exists audit_events_auditor on public.audit_events;
create policy audit_events_auditor on public.audit_events for select to gatehouse_auditor using (true);
drop policy if exists audit_envelopes_auditor on public.audit_envelopes;
create policy audit_envelopes_auditor on public.audit_envelopes for select to gatehouse_auditor using (true);

-- +goose Down

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array gatehouse.trashable() || array['deletions', 'idempotency_keys', 'audit_events', 'audit_envelopes', 'users', 'user_identities'] loop
        execute format('alter table public.%I disable row level security', t);
        execute format('drop policy if exists %I on public.%I', t || '_organization', t);
        execute format('drop policy if exists %I on public.%I', t || '_auditor', t);
        commit;
    end loop;
end
$$;
-- +goose StatementEnd
