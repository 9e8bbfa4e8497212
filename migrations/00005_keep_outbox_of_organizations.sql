-- An organization that is removed no longer takes its rows of outbox along: they stand in its way.
-- Locks: ACCESS EXCLUSIVE on outbox and organizations, for a change of the catalogue.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    key name;
begin
    for key in
        select conname from pg_constraint
        where contype = 'f' and conrelid = 'public.outbox'::regclass and confrelid = 'public.organizations'::regclass
    loop
        execute format('alter table public.outbox drop constraint %I', key);
    end loop;
end
$$;
-- +goose StatementEnd

alter table public.outbox add constraint outbox_organization_id_kept
    foreign key (organization_id) references public.organizations (id) not valid;

-- +goose Down

alter table public.outbox drop constraint outbox_organization_id_kept;

alter table public.outbox add constraint outbox_organization_id_fkey
    foreign key (organization_id) references public.organizations (id) on delete cascade;
