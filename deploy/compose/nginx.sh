#!/bin/sh
# NGINX with the shipped file, before the instances of this network.
set -eu
sed -e 's/127.0.0.1:8081/api1:8080/' -e 's/127.0.0.1:8082/api2:8080/' -e 's/127.0.0.1:8083/api3:8080/' \
  /etc/evently/evently.conf > /etc/nginx/conf.d/default.conf
exec nginx -g 'daemon off;'
