-- The schema of our functions. The app's tables stay where they are, in public.
-- Locks: none on existing tables.

-- +goose Up

-- +goose StatementBegin
do $$
begin
    -- CREATE SCHEMA IF NOT EXISTS asks for the right to create it even where it is there.
    if to_regnamespace('gatehouse') is null then
        create schema gatehouse;
    end if;
end
$$;
-- +goose StatementEnd

-- The tables whose rows can be trashed and restored, parents before children.
-- +goose StatementBegin
create function gatehouse.trashable() returns text[]
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select array[
        'organizations', 'organization_members', 'client_companies', 'contacts', 'deals', 'proposals', 'contracts',
        'engagements', 'project_templates', 'projects', 'milestones', 'tasks', 'file_objects', 'threads', 'messages',
        'invoice_schedules', 'invoices', 'payments', 'vendors', 'bills', 'client_portal_access', 'roles',
        'role_permissions', 'user_roles', 'invitations']
$$;
-- +goose StatementEnd

-- The organization and the person that a transaction acts for. Nobody has said: null, which equals nothing.
-- +goose StatementBegin
create function gatehouse.organization() returns varchar
    language sql stable parallel safe
as $$ select nullif(pg_catalog.current_setting('app.organization_id', true), '') $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function gatehouse.actor() returns varchar
    language sql stable parallel safe
as $$ select nullif(pg_catalog.current_setting('app.actor_id', true), '') $$;
-- +goose StatementEnd

-- +goose Down

drop schema gatehouse cascade;
