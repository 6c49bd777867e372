#!/usr/bin/env bash
# Installs what `make check` uses beyond gcc, make, cargo, python3, node and go, on Debian and its
# kin. Quick when all is there, and safe to run again. A tool that cannot be had is named: a printed
# skip, or a failure where SW_REQUIRE_ALL=1 asks for everything.
#   scripts/tools.sh            installs what is missing
#   scripts/tools.sh --check    only says what is missing
set -euo pipefail

# What must be there, and the Debian package that brings it.
TOOLS='
clang:clang clang++:clang clang-format:clang-format g++:g++ readelf:binutils objcopy:binutils
abidw:abigail-tools abidiff:abigail-tools swig:swig valgrind:valgrind
cmake:cmake ninja:ninja-build pkg-config:pkg-config
'
FILES='
/usr/include/sqlite3.h:libsqlite3-dev
'
# cargo-c is its own program on crates.io; the one that Debian has is too old for this edition. Built
# without optimizing: it spends its time waiting for rustc.
CARGO_C=0.10.24

missing_packages() {
    local pair
    for pair in $TOOLS; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
    done
    for pair in $FILES; do
        [ -e "${pair%%:*}" ] || echo "${pair##*:}"
    done
}

has_cargo_c() { cargo cinstall --version >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 || return 0
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq || true
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null || true
}

install_cargo_c() {
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked "cargo-c@$CARGO_C" || true
}

main() {
    local missing
    mapfile -t missing < <(missing_packages | sort -u)
    if [ "${1:-}" != --check ]; then
        [ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
        has_cargo_c || install_cargo_c
        mapfile -t missing < <(missing_packages | sort -u)
    fi
    has_cargo_c || missing+=(cargo-c)
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "${SW_REQUIRE_ALL:-}" = 1 ]; then
        echo "tools: missing: ${missing[*]}" >&2
        return 1
    fi
    echo "skipped: what needs ${missing[*]}"
}

main "$@"
