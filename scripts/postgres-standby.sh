#!/usr/bin/env bash
# A standby of the server of scripts/postgres.sh, which follows it and need not have its newest commits, for
# tests of what is lost with those. Its socket is in the folder "standby" beside that of the server.
#   scripts/postgres-standby.sh follow    copies the server, and follows it
#   scripts/postgres-standby.sh leave     it hears of nothing more
#   scripts/postgres-standby.sh promote   kills the server; the standby goes on in its place, without the tail
#   scripts/postgres-standby.sh restore   ends the standby; the server goes on as it was
set -euo pipefail
. "$(dirname "$0")/postgres-room.sh"
second=$room/standby

control() { # <folder of its data> <arguments of pg_ctl...>
    as_plain "$SW_POSTGRES_PROGRAMS/pg_ctl" -D "$1/data" -l "$1/data/log" -s -w "${@:2}" </dev/null >/dev/null
}

ask() { # <folder of its socket> <statement>
    "$SW_POSTGRES_PROGRAMS/psql" -qAtX "postgresql://postgres@/postgres?host=$1" -c "$2"
}

follow() {
    as_plain mkdir "$second"
    as_plain "$SW_POSTGRES_PROGRAMS/pg_basebackup" -D "$second/data" -d "host=$room user=postgres" -R -c fast -X stream
    echo "unix_socket_directories = '$second'" | as_plain tee -a "$second/data/postgresql.conf" >/dev/null
    control "$second" start
}

# What is committed so far has come there.
catch_up() {
    local now
    now=$(ask "$room" 'SELECT pg_current_wal_flush_lsn()')
    for _ in $(seq 600); do
        [ "$(ask "$second" "SELECT pg_last_wal_replay_lsn() >= '$now'")" != t ] || return 0
        sleep 0.05
    done
    echo "the standby does not follow" >&2
    return 1
}

self=$(realpath "$0")
cd "$room"
case ${1:-} in
follow)
    follow
    ;;
leave)
    catch_up
    control "$second" -m fast stop
    ;;
promote)
    control "$room" -m immediate stop
    control "$second" start
    control "$second" promote
    ;;
restore)
    control "$second" -m immediate stop || true
    rm -rf "$second"
    control "$room" status || control "$room" start
    ;;
*)
    sed -n 's/^# \{0,1\}//p' "$self" >&2
    exit 2
    ;;
esac
