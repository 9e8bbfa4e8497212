-- An organization that is removed no longer takes its rows of activity_events along: they stand in its way.
-- Locks: ACCESS EXCLUSIVE on activity_events and organizations, for a change of the catalogue.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    key name;
begin
    for key in
        select conname from pg_constraint
        where contype = 'f' and conrelid = 'public.activity_events'::regclass and confrelid = 'public.organizations'::regclass
    loop
        execute format('alter table public.activity_events drop constraint %I', key);
    end loop;
end
$$;
-- +goose StatementEnd

alter table public.activity_events add constraint activity_events_organization_id_kept
    foreign key (organization_id) references public.organizations (id) not valid;

-- +goose Down

alter table public.activity_events drop constraint activity_events_organization_id_kept;

alter table public.activity_events add constraint activity_events_organization_id_fkey
    foreign key (organization_id) references public.organizations (id) on delete cascade;
