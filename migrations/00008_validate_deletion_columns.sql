-- The check that a deletion is marked whole or not at all holds for every row.
-- Locks: SHARE UPDATE EXCLUSIVE on each of the 25 tables in turn while it is read; readers and writers go on.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    t text;
begin
    foreach t in array gatehouse.trashable() loop
        execute format('alter table public.%I validate constraint %I', t, t || '_deletion_whole');
        commit;
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down

select 'validation is not undone';
