#!/usr/bin/env bash
# Holds all tables of a store in PostgreSQL against whoever writes, says "held", and lets go once its input
# ends. What is read meanwhile waits for nothing. With the psql of scripts/postgres.sh:
#   scripts/postgres-hold.sh <URL with sw_schema>
set -euo pipefail
schema=${1#*sw_schema=}
schema=${schema%%&*}
url=${1/&sw_schema=$schema/}
url=${url/&sw_pooler=transaction/}

lock() {
    # Taken one by one they might wait for each other: it is all of them at once, or another try.
    cat <<SQL
BEGIN;
DO \$\$
DECLARE
    tables text := (
        SELECT string_agg(format('%I.%I', schemaname, tablename), ', ')
        FROM pg_tables
        WHERE schemaname = '$schema' AND tablename LIKE 'sw\_%'
    );
BEGIN
    LOOP
        BEGIN
            EXECUTE 'LOCK TABLE ' || tables || ' IN EXCLUSIVE MODE NOWAIT';
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.01);
        END;
    END LOOP;
END \$\$;
SELECT 'held';
SQL
}

{
    lock
    cat
} | "$SW_POSTGRES_PROGRAMS/psql" -qAtX -v ON_ERROR_STOP=1 "$url"
