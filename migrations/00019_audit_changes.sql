-- From here on every change of a row counts, and leaves its trail.
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
            select from pg_trigger where tgrelid = to_regclass(format('public.%I', t)) and tgname = t || '_audit_delete'
        ) then
            perform gatehouse.install_audit(t);
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
    kind text;
begin
    foreach t in array gatehouse.trashable() loop
        execute format('drop trigger if exists %I on public.%I', t || '_version', t);
        foreach kind in array array['_audit_insert', '_audit_update', '_audit_delete'] loop
            execute format('drop trigger if exists %I on public.%I', t || kind, t);
            execute format('drop function if exists gatehouse.%I()', t || kind);
        end loop;
        commit;
    end loop;
end
$$;
-- +goose StatementEnd
