#!/bin/sh
# Restarts the instances one after the other, each when the one before is ready again. Nobody who comes by NGINX notices.
#
# usage: rolling-restart.sh [PORT…]
set -eu

[ $# -gt 0 ] || set -- 8081 8082 8083

for port; do
  echo "evently@$port"
  # Returns when the old process has ended and the new one has been started.
  systemctl restart "evently@$port"
  tries=0
  until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/health/ready"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 300 ]; then
      echo "evently@$port is not ready after a minute; the others are left alone" >&2
      exit 1
    fi
    sleep 0.2
  done
done
