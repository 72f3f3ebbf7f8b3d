#!/bin/bash
# A copy of the primary that follows it.
set -euo pipefail
export PGPASSWORD
PGPASSWORD=$(cat /run/secrets/replica_password)
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  until pg_basebackup --dbname 'host=primary user=replica application_name=replica' --pgdata "$PGDATA" --write-recovery-conf --wal-method stream; do
    rm -rf "${PGDATA:?}"/*
    sleep 2
  done
  chmod 700 "$PGDATA"
fi
exec postgres
