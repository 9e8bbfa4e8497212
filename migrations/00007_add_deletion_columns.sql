-- Rows can be marked as deleted, by whom and with which deletion; they count their changes and know who made them.
-- A table at a time, each in a transaction of its own; tables that have the columns are passed over.
-- Locks: ACCESS EXCLUSIVE on each of the 25 tables in turn, for a change of the catalogue: no row is written.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array gatehouse.trashable() loop
        if not exists (
            select from pg_constraint where conrelid = to_regclass(format('public.%I', t)) and conname = t || '_deletion_whole'
        ) then
            execute format($sql$
                alter table public.%1$I
                    add column deleted_at timestamptz,
                    add column deleted_by varchar,
                    add column deletion_id uuid,
                    add column version bigint not null default 1,
                    add column created_by varchar,
                    add constraint %2$I check ((deleted_at is null) = (deletion_id is null)) not valid
                $sql$, t, t || '_deletion_whole');
            commit;
        end if;
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
do $$
declare
    t text;
    trashed boolean;
begin
    foreach t in array gatehouse.trashable() loop
        continue when not exists (
            select from pg_attribute where attrelid = to_regclass(format('public.%I', t)) and attname = 'deleted_at' and not attisdropped);
        execute format('lock table public.%I in access exclusive mode', t);
        execute format('select exists (select from public.%I where deleted_at is not null)', t) into trashed;
        if trashed then
            raise exception 'rows of % are in the trash: without their marks they would be alive again', t;
        end if;
        execute format($sql$
            alter table public.%I
                drop column if exists deleted_at,
                drop column if exists deleted_by,
                drop column if exists deletion_id,
                drop column if exists version,
                drop column if exists created_by
            $sql$, t);
        commit;
    end loop;
end
$$;
-- +goose StatementEnd
