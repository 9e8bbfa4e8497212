#!/bin/sh
# What `backend migrate roles` prints, and the two logins that `backend migrate` and `backend serve` use. PostgreSQL's image runs it once, as the
# superuser, when the volume is empty.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet \
	--username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" \
	--set database="$POSTGRES_DB" --set owner="$POSTGRES_OWNER_PASSWORD" --set app="$POSTGRES_APP_PASSWORD" <<'SQL'
-- Groups, whose rights the migrations give. The names are the product's.
create role gatehouse_app nologin;
create role gatehouse_jobs nologin;
create role gatehouse_auditor nologin;

-- Owns the tables, and has no right beyond this database: it may not even make roles.
create role gatehouse_owner login password :'owner';
alter database :"database" owner to gatehouse_owner;

-- What the server is: no owner, no superuser, no way around row-level security.
create role gatehouse_app_login login password :'app' in role gatehouse_app;
SQL
