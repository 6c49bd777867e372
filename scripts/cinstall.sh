#!/usr/bin/env bash
# Installs with cargo-c into a folder that goes away, and runs the quickstart in C and C++ from there.
# Gets cargo-c first when it is missing, built without optimizing since it mostly waits for rustc.
# Not a part of `make check`: cargo-c builds the library anew, for its own target folder, which takes
# longer than all suites together.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO_C=0.10.24
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

check() { # <what> <command...>
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "cinstall: failed: $what" >&2
    fi
}

has_soname() {
    readelf -d "$scratch/lib/libsmolwf.so" | grep -q 'soname: \[libsmolwf.so.0\]'
}

has_committed_headers() {
    cmp include/smolwf.h "$scratch/include/smolwf.h" &&
        cmp include/smolwf.hpp "$scratch/include/smolwf.hpp" &&
        cmp include/smolwf_testing.h "$scratch/include/smolwf_testing.h" &&
        cmp include/smolwf_worker.hpp "$scratch/include/smolwf_worker.hpp" &&
        cmp include/smolwf.cdef "$scratch/share/smolwf/smolwf.cdef" &&
        diff -r docs/schemas "$scratch/share/smolwf/schemas"
}

transcript() { # <program>, in a folder of its own
    (
        cd "$(mktemp -d "$scratch/run.XXXXXX")"
        export LD_LIBRARY_PATH=$scratch/lib
        echo '$ quickstart crash'
        (ulimit -c 0 && "$1" crash) 2>/dev/null || true
        echo '$ quickstart'
        "$1"
        echo '$ quickstart'
        "$1"
    )
}

quickstart_runs() { # <compiler and its flags> <source>
    local flags
    mapfile -t flags < <(PKG_CONFIG_PATH=$scratch/lib/pkgconfig pkg-config --cflags --libs smolwf | xargs -n 1)
    $1 "$2" -o "$scratch/quickstart" "${flags[@]}" &&
        diff examples/expected/quickstart.txt <(transcript "$scratch/quickstart" 2>/dev/null)
}

cargo cinstall --version >/dev/null 2>&1 ||
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked "cargo-c@$CARGO_C"
cargo cinstall --locked --library-type cdylib --profile dev \
    --prefix "$scratch" --libdir lib --target-dir "${CARGO_TARGET_DIR:-target}/cinstall"
check "the soname is that of make install" has_soname
check "the headers are the committed ones" has_committed_headers
check "the quickstart runs in C" quickstart_runs "${CC:-cc} -std=c99" examples/c/quickstart.c
check "the quickstart runs in C++" quickstart_runs "${CXX:-c++} -std=c++17" examples/cpp/quickstart.cpp
echo "cinstall: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
