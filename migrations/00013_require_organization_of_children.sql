-- Every row of the four tables has an organization. The check is proved while writers go on; NOT NULL then believes it.
-- Locks: ACCESS EXCLUSIVE on each of the four tables in turn, for changes of the catalogue; between them SHARE UPDATE
-- EXCLUSIVE while the table is read.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
    proof text;
begin
    foreach t in array array['milestones', 'messages', 'payments', 'role_permissions'] loop
        proof := t || '_organization_id_proof';
        continue when (select attnotnull from pg_attribute
            where attrelid = to_regclass(format('public.%I', t)) and attname = 'organization_id');
        if not exists (select from pg_constraint where conrelid = to_regclass(format('public.%I', t)) and conname = proof) then
            execute format('alter table public.%I add constraint %I check (organization_id is not null) not valid', t, proof);
            commit;
        end if;
        execute format('alter table public.%I validate constraint %I', t, proof);
        commit;
        execute format('alter table public.%I alter column organization_id set not null', t);
        execute format('alter table public.%I drop constraint %I', t, proof);
        commit;
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down

alter table public.role_permissions
    alter column organization_id drop not null,
    drop constraint if exists role_permissions_organization_id_proof;
alter table public.payments
    alter column organization_id drop not null,
    drop constraint if exists payments_organization_id_proof;
alter table public.messages
    alter column organization_id drop not null,
    drop constraint if exists messages_organization_id_proof;
alter table public.milestones
    alter column organization_id drop not null,
    drop constraint if exists milestones_organization_id_proof;
