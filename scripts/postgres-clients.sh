#!/usr/bin/env bash
# Plays on the server of scripts/postgres.sh what every client can play on a store: the scenarios of workers, the
# example programs, whose processes are killed, and what its suite plays on the stores that it shares; then the tool.
# The library is built for it, beside the usual one. What is not played, and why: docs/POSTGRES.md.
# With SW_SCENARIOS=1 of each client the scenarios alone.
#   scripts/postgres.sh 15 scripts/postgres-clients.sh [rust python node go polyglot tool]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
room=$built/postgres
cargo=${CARGO:-cargo}
: "${SW_POSTGRES_URL:?names no server: scripts/postgres.sh starts one}"

skip() { # <part> <reason>
    echo "skipped: postgres: $1: $2"
    is_skipped=$1
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
}

stores() { # how many there are: what was played on files would leave none here
    "$SW_POSTGRES_PROGRAMS/psql" -qAtX "${SW_POSTGRES_URL/&sw_pooler=transaction/}" \
        -c "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sw\\_test\\_%'"
}

# C and C++: the programs of examples, the demo, the scenarios.
rust() {
    local of=(_in_c _in_cpp the_demo a_file_in_flight)
    [ -z "${SW_SCENARIOS:-}" ] || of=()
    "$cargo" test --locked --no-fail-fast --test examples --test demo --test cpp -- "${of[@]}" the_worker_plays
}

python() {
    local bin
    bin=$(scripts/venv.sh 2>&1) || { skip python "$bin"; return; }
    # Beside scenarios and programs, what uses the stores that the suite shares; the rest lies on files.
    local topics=scenarios
    [ -n "${SW_SCENARIOS:-}" ] || topics+=' programs carrying control listing stats tail values waits workflows retention'
    local files=() topic
    for topic in $topics; do files+=("tests/test_$topic.py"); done
    (cd clients/python && PYTHONPYCACHEPREFIX=$built/python/pycache \
        "$bin/pytest" --quiet "${files[@]}" \
        --deselect tests/test_control.py::test_a_backup_is_a_store_with_what_was_there)
}

node_built() {
    local client=clients/node programs=examples/node folder
    command -v npm >/dev/null 2>&1 || { skip "$1" "npm is missing"; return 1; }
    for folder in "$client" "$programs"; do
        [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] ||
            npm --prefix "$folder" ci --silent --ignore-scripts ||
            { skip "$1" "the packages of $folder cannot be installed"; return 1; }
    done
    (cd "$client" && node_modules/.bin/tsc)
    (cd "$programs" && "$root/$client/node_modules/.bin/tsc")
}

node() {
    node_built node || { [ -n "${is_skipped:-}" ] && [ "${SW_REQUIRE_ALL:-}" != 1 ]; return; }
    local topics='worker.'
    [ -n "${SW_SCENARIOS:-}" ] || topics+=' programs. carry. control. ends. list. looking. loop. replay. retention. run.
        step. stop. tail. values. vectors. wait.'
    # shellcheck disable=SC2086
    (cd clients/node && command node dist/test/all.js $topics)
}

go() {
    command -v go >/dev/null || { skip go "go is missing"; return; }
    command -v pkg-config >/dev/null || { skip go "pkg-config is missing"; return; }
    ln -sf "$SMOLWF_LIBRARY" "$room/libsmolwf.so.0"
    ln -sf libsmolwf.so.0 "$room/libsmolwf.so"
    sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
        -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in >"$room/smolwf.pc"
    local -x GOTOOLCHAIN=local GOPROXY=off PKG_CONFIG_PATH=$room GOFLAGS=-mod=readonly
    local -x CGO_LDFLAGS="-Wl,-rpath,$room"
    command go build -C examples/go -o "$room/shout" ./shout
    local others which=.
    [ -z "${SW_SCENARIOS:-}" ] || which=TestWorkersDoAsTheScenariosSay
    others=$(sed -n 's/^func \(Test[A-Za-z0-9]*\).*/\1/p' clients/go/tx_test.go clients/go/sql_test.go | paste -sd '|')
    (cd clients/go && command go test -count=1 -parallel 4 -run "$which" -skip "^($others)\$|Soak" .)
}

# One run in four languages, whose processes are killed; after the parts of Python, Node and Go.
polyglot() {
    local schema=sw_test_polyglot
    [ -e "$room/shout" ] || { skip polyglot "the part of Go has not built its program"; return; }
    SMOLWF_LIB_DIR=$room SMOLWF_STORE="$SW_POSTGRES_URL&sw_schema=$schema" scripts/polyglot.sh
}

# And the page, which the client for Node fills stores for; in a browser where there is one.
tool() {
    local done=0
    "$cargo" test --locked --no-fail-fast --features postgres --manifest-path tools/swctl/Cargo.toml \
        --test postgres --test commands --test terminal --test refusals || done=1
    node_built tool || { [ "${SW_REQUIRE_ALL:-}" != 1 ] && return "$done"; }
    SWCTL=${CARGO_TARGET_DIR:-$root/tools/swctl/target}/debug/swctl \
        SW_CHROMIUM=${SW_CHROMIUM-$(command -v chromium || true)} command node tools/swctl/tests/page/all.js || done=1
    return "$done"
}

"$cargo" rustc --quiet --locked --features postgres --lib --crate-type cdylib
# What is built without the feature bears the same name there.
mkdir -p "$room/debug"
cp "$built/debug/libsmolwf.so" "$room/debug/"
export SMOLWF_LIBRARY=$room/debug/libsmolwf.so SMOLWF_LIB_DIR=$room/debug
status=0
for part in ${*:-rust python node go polyglot tool}; do
    echo "postgres: $part"
    before=$(stores)
    "$part" || status=1
    echo "postgres: $part: $(($(stores) - before)) stores"
    [ "$(stores)" -gt "$before" ] || [ "${is_skipped:-}" = "$part" ] ||
        { echo "postgres: $part left no store on the server" >&2; status=1; }
done
exit "$status"
