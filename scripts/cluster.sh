#!/usr/bin/env bash
# A store in PostgreSQL under machines that fail: workers in Python, Node, Go and C++ on two machines, of which
# one is cut off, a worker is killed, and the server is killed and started again. At the end nothing is lost and
# nothing was done twice: scripts/cluster.py, which prints it as a table. Half a minute, once all is built.
# The machines are network namespaces where this is root's and `ip netns` works; otherwise processes, one machine's
# behind a proxy that is cut. What is missing is a printed skip, or a failure where SW_REQUIRE_ALL=1 asks for all.
#   scripts/cluster.sh
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
room=$built/postgres
workers=tests/torture_workers

lack() { # <reason>
    echo "skipped: cluster: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
}

python=$(scripts/venv.sh 2>&1) || { lack "$python"; exit; }
"${CARGO:-cargo}" rustc --quiet --locked --features postgres --lib --crate-type cdylib --target-dir "$room"
ln -sf "$room/debug/libsmolwf.so" "$room/libsmolwf.so.0"
ln -sf libsmolwf.so.0 "$room/libsmolwf.so"

rm -f "$room/worker-cpp" "$room/worker-go"
if command -v "${CXX:-c++}" >/dev/null; then
    "${CXX:-c++}" -std=c++17 -O1 -pthread -I include -o "$room/worker-cpp" "$workers/worker.cpp" \
        -L "$room" -lsmolwf "-Wl,-rpath,$room"
else
    lack "workers in C++: a compiler is missing"
fi
if command -v go >/dev/null && command -v pkg-config >/dev/null; then
    sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
        -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in >"$room/smolwf.pc"
    GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly PKG_CONFIG_PATH=$room CGO_LDFLAGS="-Wl,-rpath,$room" \
        go build -C "$workers/go" -o "$room/worker-go" .
else
    lack "workers in Go: go or pkg-config is missing"
fi
TORTURE_NODE=$root/clients/node/dist/src/index.js
if [ ! -e "$TORTURE_NODE" ] || ! command -v node >/dev/null; then
    TORTURE_NODE=
    lack "workers in Node: run make node before"
fi

# Names and addresses of a run of its own: another one may be under way.
machines=()
mark=$(($$ % 200 + 10))
take_down() {
    for name in "${machines[@]}"; do ip netns del "$name" || true; done
}

put_up() { # <name> <subnet>
    ip netns add "$1" 2>/dev/null || return 1
    machines+=("$1")
    ip link add "$1" type veth peer name eth0 netns "$1" && ip addr add "$2.1/24" dev "$1" &&
        ip link set "$1" up && ip -n "$1" addr add "$2.2/24" dev eth0 && ip -n "$1" link set eth0 up &&
        ip -n "$1" link set lo up
}

trap take_down EXIT
first=10.$mark.1 second=10.$mark.2
if [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null &&
    put_up "swa$mark" "$first" 2>/dev/null && put_up "swb$mark" "$second" 2>/dev/null; then
    export SW_POSTGRES_SETTINGS="listen_addresses=$first.1,$second.1"
    export SW_POSTGRES_HBA="host all all 10.$mark.0.0/16 trust"
    export CLUSTER_MACHINES="swa$mark=$first.1 swb$mark=$second.1"
else
    export CLUSTER_MACHINES=""
fi
export TORTURE_NODE SMOLWF_LIBRARY=$room/debug/libsmolwf.so
export PYTHONPATH=clients/python PYTHONDONTWRITEBYTECODE=1
TMPDIR=${TMPDIR:-$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)} \
    scripts/postgres.sh 15 "$python/python" scripts/cluster.py "$room"
