#!/bin/sh
# The roles that `backend migrate` and `backend serve` sign in with. PostgreSQL's image runs it once, as the
# superuser, when the volume is empty.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet \
	--username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" \
	--set database="$POSTGRES_DB" --set migrator="$MIGRATOR_PASSWORD" --set server="$SERVER_PASSWORD" <<'SQL'
-- Groups, whose rights the migrations give. The names are the product's.
create role gatehouse_app nologin;
create role gatehouse_jobs nologin;
create role gatehouse_auditor nologin;

-- Owns the tables, and has no right outside this database.
create role gatehouse_migrator login password :'migrator';
alter database :"database" owner to gatehouse_migrator;

-- What the server is: no owner, no superuser, no way around row-level security.
create role gatehouse_server login password :'server' in role gatehouse_app;
SQL
