-- No row refers to one that is trashed or of another organization, and no row changes its id or its organization.
-- The organization is filled in from the parent where it is missing, so that rows that come from now on have one.
-- Locks: SHARE ROW EXCLUSIVE on each of the 25 tables in turn, for a change of the catalogue.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array gatehouse.trashable() loop
        if not exists (
            select from pg_trigger where tgrelid = to_regclass(format('public.%I', t)) and tgname = t || '_guard'
        ) then
            perform gatehouse.install_guard(t);
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
begin
    foreach t in array gatehouse.trashable() loop
        execute format('drop trigger if exists %I on public.%I', t || '_guard', t);
        execute format('drop function if exists gatehouse.%I()', t || '_guard');
        commit;
    end loop;
end
$$;
-- +goose StatementEnd
