-- Rows from before migration 11 get the organization of their parent, a thousand at a time.
-- A batch takes only rows that nobody else has locked and comes back for the others, so it waits for nobody while
-- others wait for it. Resumes where it was: a row that has its organization is not touched again.
-- Locks: ROW EXCLUSIVE on milestones, messages, payments and role_permissions, and row locks for the length of a batch.

-- +goose NO TRANSACTION

-- +goose Up

-- +goose StatementBegin
do $$
declare
    step record;
    batch text;
    last varchar;
    reached varchar;
    rows bigint;
    skipped boolean;
begin
    for step in
        select * from (values
            ('milestones', 'project_id', 'projects'), ('messages', 'thread_id', 'threads'),
            ('payments', 'invoice_id', 'invoices'), ('role_permissions', 'role_id', 'roles')) as s (child, key, parent)
    loop
        batch := format($sql$
            with chunk as (
                select c.id, c.%2$I as parent_id from public.%1$I c
                where c.id > $1 order by c.id limit 1000
            ), free as (
                select c.id, p.organization_id from public.%1$I c join public.%3$I p on p.id = c.%2$I
                where c.id in (select id from chunk) and c.organization_id is null
                for update of c skip locked
            ), done as (
                update public.%1$I c set organization_id = free.organization_id from free where c.id = free.id
            )
            select max(id), count(*) from chunk
            $sql$, step.child, step.key, step.parent);
        loop
            last := '';
            loop
                execute batch into reached, rows using last;
                commit;
                exit when rows < 1000;
                last := reached;
            end loop;
            execute format('select exists (select from public.%I c join public.%I p on p.id = c.%I where c.organization_id is null)',
                step.child, step.parent, step.key) into skipped;
            commit;
            exit when not skipped;
            perform pg_sleep(0.02 + random() * 0.05);
        end loop;
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down

select 'the columns go with migration 9';
