#!/bin/sh
# Prints the secrets that docker-compose.yml wants, new ones each time:
#
#   sh deploy/compose/secrets.sh >.env
#
# A volume keeps the passwords that it was made with. New ones mean new volumes (docker compose down --volumes), or
# changing them in PostgreSQL too.
set -eu
umask 077

# random prints so many random bytes in hex, which no address needs to escape.
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

cat <<END
# Secrets of this installation. Keep them out of git, and away from who may not sign in as anybody.

# Seals what browsers carry of a session: 32 bytes in base64.
GATEHOUSE_SECRET=$(head -c 32 /dev/urandom | base64)

# Signs the cursors of the backend's lists.
BACKEND_CURSOR_KEY=$(head -c 32 /dev/urandom | base64)

REDIS_PASSWORD=$(random 24)
POSTGRES_PASSWORD=$(random 24)
POSTGRES_OWNER_PASSWORD=$(random 24)
POSTGRES_APP_PASSWORD=$(random 24)
END
