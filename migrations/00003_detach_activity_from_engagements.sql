-- Nothing that happens to an engagement takes its trail along. The id stays.
-- The key is looked up, since an adopted database may call it otherwise.
-- Locks: ACCESS EXCLUSIVE on activity_events and engagements, for a change of the catalogue.

-- +goose Up

-- +goose StatementBegin
do $$
declare
    key name;
begin
    for key in
        select conname from pg_constraint
        where contype = 'f' and conrelid = 'public.activity_events'::regclass and confrelid = 'public.engagements'::regclass
    loop
        execute format('alter table public.activity_events drop constraint %I', key);
    end loop;
end
$$;
-- +goose StatementEnd

-- +goose Down

-- The trail outlives engagements: an id whose engagement is gone cannot be kept under the key.
update public.activity_events a set engagement_id = null
where engagement_id is not null and not exists (select from public.engagements e where e.id = a.engagement_id);

alter table public.activity_events add constraint activity_events_engagement_id_fkey
    foreign key (engagement_id) references public.engagements (id) on delete cascade;
