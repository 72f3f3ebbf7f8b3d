#!/bin/sh
# PgBouncer with the shipped file, before the server of this network.
set -eu
cd /tmp
password=$(cat /run/secrets/evently_password)
printf '"evently" "%s"\n' "$password" > userlist.txt
sed -e 's/host=127.0.0.1 port=5432/host=primary port=5432/' \
  -e 's/^listen_addr = .*/listen_addr = 0.0.0.0/' \
  -e 's/^unix_socket_dir = .*/unix_socket_dir =/' \
  -e 's#^pidfile = .*#pidfile = /tmp/pgbouncer.pid#' \
  -e '/^logfile = /d' \
  -e 's#^auth_file = .*#auth_file = /tmp/userlist.txt#' \
  /etc/pgbouncer/shipped.ini > pgbouncer.ini
exec pgbouncer pgbouncer.ini
