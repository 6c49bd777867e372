#!/usr/bin/env bash
# Builds workers in five languages (tests/torture_workers), shows that their judge finds what is wrong,
# and has them work at one store while they are killed, stopped and given trouble: scripts/torture.
# What is missing on a machine is a printed skip, or a failure where SW_REQUIRE_ALL=1 asks for all.
# Workers in Node need what the checks of its client have made.
#   scripts/torture-workers.sh <seconds>
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
room=$target/torture
workers=tests/torture_workers

lack() { # <reason>
    echo "skipped: torture: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
}

python=$(scripts/venv.sh 2>&1) || { lack "$python"; exit; }
"${CARGO:-cargo}" build --quiet --locked
mkdir -p "$room"
ln -sf "$target/debug/libsmolwf.so" "$room/libsmolwf.so.0"
ln -sf libsmolwf.so.0 "$room/libsmolwf.so"

strict() { # <name of the toolchain> <version>
    if scripts/strict.sh "$1" "$2" >&2; then echo -Werror; fi
}

compile() { # <compiler> <standard> <source> <output> <options...>
    local kind=gcc
    case $("$1" --version) in *clang*) kind=clang ;; esac
    local held
    held=$(strict "$kind" "$("$1" -dumpversion)")
    "$1" "-std=$2" -Wall -Wextra ${held:+"$held"} -O1 -g -pthread -I include -o "$room/$4" "$workers/$3" \
        "${@:5}"
}

link=(-L "$room" -lsmolwf "-Wl,-rpath,$room")
compile "${CC:-cc}" gnu11 worker.c worker-c "$workers/submits.c" "${link[@]}"
compile "${CXX:-c++}" c++17 worker.cpp worker-cpp "${link[@]}"
compile "${CC:-cc}" gnu11 clock.c clock.so -shared -fPIC

build_go() {
    export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly
    export PKG_CONFIG_PATH=$room CGO_LDFLAGS="-Wl,-rpath,$room"
    sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
        -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in >"$room/smolwf.pc"
    go build -C "$workers/go" -o "$room/worker-go" .
    go vet -C "$workers/go" . && [ -z "$(gofmt -l "$workers/go")" ] ||
        ! scripts/strict.sh go "$(go env GOVERSION | sed 's/^go//')"
}

rm -f "$room/worker-go"
if command -v go >/dev/null && command -v pkg-config >/dev/null; then
    (build_go)
else
    lack "workers in Go: go or pkg-config is missing"
fi
TORTURE_NODE=$root/clients/node/dist/src/index.js
if [ ! -e "$TORTURE_NODE" ] || ! command -v node >/dev/null; then
    TORTURE_NODE=
    lack "workers in Node: run make node before"
fi

export TORTURE_NODE SMOLWF_LIBRARY=$target/debug/libsmolwf.so
export PYTHONPATH=clients/python PYTHONDONTWRITEBYTECODE=1
"$python/python" scripts/torture/play.py "$room" prove
exec "$python/python" scripts/torture/play.py "$room" "$1"
