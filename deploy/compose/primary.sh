#!/bin/bash
# Run once by the image of PostgreSQL, on an empty server: the user of the service, and the replica's.
set -euo pipefail
# Apart from the call, so that a secret that is missing ends this.
service=$(cat /run/secrets/evently_password)
replica=$(cat /run/secrets/replica_password)
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set service="$service" --set replica="$replica" <<'SQL'
create role evently login password :'service';
create database evently owner evently;
create role replica login replication password :'replica';
-- In force from the next start on: each commit is on the replica before it is answered. With one replica everything waits
-- while it is away; name two where that matters.
alter system set synchronous_standby_names = 'ANY 1 (replica)';
SQL
echo 'host replication replica all scram-sha-256' >> "$PGDATA/pg_hba.conf"
