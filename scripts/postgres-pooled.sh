#!/usr/bin/env bash
# Runs a command as scripts/postgres.sh does, with a pooler in transaction mode between it and the server.
#   scripts/postgres.sh 15 scripts/postgres-pooled.sh <connections> <command...>
set -euo pipefail
home=$(realpath "$(dirname "$0")/..")
. "$home/scripts/postgres-room.sh"
socket=$room/pooler/.s.PGSQL.5432
if ! PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null; then
    echo "skipped: postgres: through a pooler: pgbouncer is missing"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
fi
"$home/scripts/pgbouncer.sh" transaction "$1" &
pooler=$!
trap 'kill "$pooler"; wait "$pooler" || true' EXIT
for _ in $(seq 100); do
    [ -S "$socket" ] || sleep 0.1
done
[ -S "$socket" ] || { echo "postgres-pooled: failed: the pooler has made no socket" >&2; exit 1; }
SW_POSTGRES_URL="${SW_POSTGRES_URL/host=$room/host=$room/pooler}&sw_pooler=transaction" "${@:2}"
