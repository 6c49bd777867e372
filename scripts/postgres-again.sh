#!/usr/bin/env bash
# Kills the server of scripts/postgres.sh and starts it again, for tests of what its clients do meanwhile.
#   scripts/postgres-again.sh immediate [ms]   ends it without a word to anybody, as a crash does
#   scripts/postgres-again.sh backend          kills one of its processes, after which it begins anew by itself
# It stays away for so many milliseconds, 0 unless named.
set -euo pipefail
. "$(dirname "$0")/postgres-room.sh"
psql=("$SW_POSTGRES_PROGRAMS/psql" -qAtX "$SW_POSTGRES_URL" -c)

case ${1:-} in
immediate)
    cd "$room"
    as_plain "$SW_POSTGRES_PROGRAMS/pg_ctl" -D "$room/data" -m immediate -s stop
    sleep "$(printf '%d.%03d' $((${2:-0} / 1000)) $((${2:-0} % 1000)))"
    as_plain "$SW_POSTGRES_PROGRAMS/pg_ctl" -D "$room/data" -l "$room/data/log" -s -w start </dev/null >/dev/null
    ;;
backend)
    # One that serves nobody, so that it is known to be the server's.
    kill -KILL "$("${psql[@]}" "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")"
    until "${psql[@]}" 'SELECT 1' >/dev/null 2>&1; do sleep 0.05; done
    ;;
*)
    sed -n 's/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
