-- Who is asking, and for which organization: the one way into a scope.
-- Locks: none on existing tables.

-- +goose Up

-- link_identity finds the person of an identity, and links a new one to the only user with its e-mail address.
-- The address is null unless the provider has verified it. Of two first sign-ins at once the second waits for the
-- first's row and reads it. Whom the same provider has known by another subject stays that one's: providers give the
-- addresses of people who have left to others. The trail keeps issuer and subject in envelopes.
-- +goose StatementBegin
create function gatehouse.link_identity(
    p_issuer text, p_subject text, p_email text, p_request_id text, out status text, out person varchar
)
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    candidates varchar[];
    event uuid := gen_random_uuid();
    at timestamptz := clock_timestamp();
    issuer_salt bytea := uuid_send(gen_random_uuid());
    subject_salt bytea := uuid_send(gen_random_uuid());
begin
    status := 'ok';
    select i.user_id into person from public.user_identities i where i.issuer = p_issuer and i.subject = p_subject;
    if found then
        return;
    end if;
    if nullif(p_issuer, '') is null or nullif(p_subject, '') is null or nullif(p_email, '') is null then
        status := 'no_account';
        return;
    end if;
    -- By the index first; then letter by letter but for the case of A to Z, since lower() makes a plain k of the Kelvin
    -- sign, and a plain i of a dotted capital one: somebody else's mailbox.
    candidates := array(select u.id from public.users u where lower(u.email) = lower(p_email)
        and lower(u.email collate "C") = lower(p_email collate "C") limit 2);
    if cardinality(candidates) <> 1 then
        status := case cardinality(candidates) when 0 then 'no_account' else 'ambiguous_account' end;
        return;
    end if;
    insert into public.user_identities (issuer, subject, user_id) values (p_issuer, p_subject, candidates[1])
    on conflict do nothing;
    if not found then
        select i.user_id into person from public.user_identities i where i.issuer = p_issuer and i.subject = p_subject;
        if not found then
            status := 'no_account';
        end if;
        return;
    end if;
    person := candidates[1];
    insert into public.audit_events (id, occurred_at, actor_id, session_role, request_id, action, table_name, row_id, changes)
    values (event, at, person, session_user, nullif(p_request_id, ''), 'insert', 'user_identities', person, jsonb_build_object(
        'user_id', jsonb_build_object('from', null, 'to', person),
        'issuer', jsonb_build_object('from', null, 'to', jsonb_build_object('sha256',
            encode(sha256(issuer_salt || convert_to(to_jsonb(p_issuer)::text, 'UTF8')), 'hex'))),
        'subject', jsonb_build_object('from', null, 'to', jsonb_build_object('sha256',
            encode(sha256(subject_salt || convert_to(to_jsonb(p_subject)::text, 'UTF8')), 'hex')))));
    insert into public.audit_envelopes (event_id, occurred_at, column_name, side, salt, value) values
        (event, at, 'issuer', 'to', issuer_salt, to_jsonb(p_issuer)),
        (event, at, 'subject', 'to', subject_salt, to_jsonb(p_subject));
end
$$;
-- +goose StatementEnd

-- enter finds the person, then the organization that the request wishes (its id or slug; '' for the only one), and
-- sets the transaction's scope when a live membership says so. Statuses:
--   ok                   the scope is set
--   no_account           no user has the identity or its verified e-mail address
--   ambiguous_account    several users have the address, in upper and lower case
--   no_organization      the person belongs to none
--   choose_organization  to several, and wished for none: choices says which
--   not_found            no live membership in what was wished for, or no such organization
--   organization_closed  it is in the trash; the scope is set for its owner alone
-- Whatever scope the transaction had is gone before anything is looked up.
-- +goose StatementBegin
create function gatehouse.enter(
    p_issuer text, p_subject text, p_email text, p_wish text, p_request_id text,
    out status text, out user_id varchar, out organization_id varchar, out role public.member_role, out choices jsonb
)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    wish text := coalesce(p_wish, '');
    open_ones bigint;
    closed boolean;
begin
    perform set_config('app.organization_id', '', true), set_config('app.actor_id', '', true), set_config('app.request_id', '', true);

    select l.status, l.person into status, user_id from gatehouse.link_identity(p_issuer, p_subject, p_email, p_request_id) l;
    if status <> 'ok' then
        return;
    end if;

    if wish <> '' then
        select m.organization_id, m.role, o.deleted_at is not null into organization_id, role, closed
        from public.organization_members m join public.organizations o on o.id = m.organization_id
        where m.user_id = enter.user_id and m.deleted_at is null and wish in (o.id, o.slug)
        order by (o.id = wish) desc limit 1;
        if not found then
            status := 'not_found';
            return;
        end if;
    else
        -- The only open one; closed ones are offered when there is no other, one that the person owns before the rest.
        select m.organization_id, m.role, o.deleted_at is not null, count(*) filter (where o.deleted_at is null) over ()
        into organization_id, role, closed, open_ones
        from public.organization_members m join public.organizations o on o.id = m.organization_id
        where m.user_id = enter.user_id and m.deleted_at is null
        order by (o.deleted_at is null) desc, (m.role = 'owner') desc, o.deleted_at desc, o.id limit 1;
        if not found then
            status := 'no_organization';
            return;
        end if;
        if open_ones > 1 then
            status := 'choose_organization';
            organization_id := null;
            role := null;
            select jsonb_agg(jsonb_build_object('id', o.id, 'slug', o.slug, 'name', o.name, 'role', m.role) order by o.name, o.id)
            into choices
            from public.organization_members m join public.organizations o on o.id = m.organization_id
            where m.user_id = enter.user_id and m.deleted_at is null and o.deleted_at is null;
            return;
        end if;
    end if;

    if closed then
        status := 'organization_closed';
        if role <> 'owner' then
            return;
        end if;
    end if;
    perform set_config('app.organization_id', organization_id, true), set_config('app.actor_id', user_id, true),
        set_config('app.request_id', coalesce(p_request_id, ''), true);
end
$$;
-- +goose StatementEnd

revoke all on function gatehouse.link_identity(text, text, text, text) from public;
revoke all on function gatehouse.enter(text, text, text, text, text) from public;

-- +goose Down

drop function gatehouse.enter(text, text, text, text, text);
drop function gatehouse.link_identity(text, text, text, text);
