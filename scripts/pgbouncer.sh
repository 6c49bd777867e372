#!/usr/bin/env bash
# A pooler before the server of scripts/postgres.sh, until it is told to end, with its socket in a folder of
# its own, and the names and the port of the server. For tests; as root it runs as nobody.
#   scripts/pgbouncer.sh <mode> <connections>    transaction or session; how many it keeps with the server
set -euo pipefail
. "$(dirname "$0")/postgres-room.sh"
folder=$room/pooler
program=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || { echo "pgbouncer is missing" >&2; exit 3; }
as_plain mkdir -p "$folder"
as_plain tee "$folder/ini" >/dev/null <<INI
[databases]
* = host=$room user=postgres
[pgbouncer]
listen_addr =
listen_port = 5432
unix_socket_dir = $folder
auth_type = any
pool_mode = $1
default_pool_size = $2
ignore_startup_parameters = extra_float_digits,options
INI
cd "$folder"
exec "${plain[@]}" "$program" --quiet "$folder/ini"
