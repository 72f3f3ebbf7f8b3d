# Runs beside a server. Its input is a pipe from the process that owns the server; it closes when the owner lets the server go,
# and also when the owner is killed. Then the server is stopped and its folder removed.
#
# $1  the folder
# $2  the signal that stops the server at once
#
# Each line of the input is the id of the process that runs in the folder from now on.
folder=$1 signal=$2 server=

# The directory is looked at, because the id may belong to another process by now. One that has ended but is not yet reaped has none.
runs() {
  [ -n "$server" ] || return 1
  case $(readlink "/proc/$server/cwd") in
    "$folder" | "$folder"/*) ;;
    *) return 1 ;;
  esac
}

while read -r line; do server=$line; done

if runs; then
  kill -s "$signal" "$server"
  # It may be paused.
  kill -s CONT "$server"
  tries=0
  while runs && [ "$tries" -lt 500 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
  if runs; then kill -s KILL "$server"; fi
fi
rm -rf "$folder"
