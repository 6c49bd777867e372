#!/usr/bin/env bash
# Installs what `make check` uses beyond gcc, make, cargo, python3, node and go, on Debian and its
# kin. Quick when all is there, and safe to run again. A tool that cannot be had is named: a printed
# skip, or a failure where SW_REQUIRE_ALL=1 asks for everything.
#   scripts/tools.sh            installs what is missing
#   scripts/tools.sh --check    only says what is missing
#   scripts/tools.sh gauntlet   installs what `make gauntlet` needs beside that
set -euo pipefail

# What must be there, and the Debian package that brings it.
TOOLS='
clang:clang clang++:clang g++:g++ readelf:binutils objcopy:binutils
abidw:abigail-tools abidiff:abigail-tools swig:swig valgrind:valgrind
cmake:cmake pkg-config:pkg-config luajit:luajit chromium:chromium
php:php-cli ruby:ruby javac:default-jdk-headless
prlimit:util-linux mkfs.ext4:e2fsprogs mkfs.btrfs:btrfs-progs tmux:tmux fish:fish zsh:zsh
'
GAUNTLET='
debootstrap:debootstrap qemu-aarch64-static:qemu-user-static
unshare:util-linux ip:iproute2
'
FILES='
/usr/include/sqlite3.h:libsqlite3-dev
/usr/share/java/jna.jar:libjna-java
/usr/sbin/pgbouncer:pgbouncer
'

missing_packages() {
    local pair
    for pair in $TOOLS; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
    done
    for pair in $FILES; do
        [ -e "${pair%%:*}" ] || echo "${pair##*:}"
    done
    # A server for the tests of the feature postgres, whichever version Debian has; libpq comes with it.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    # What cffi is built with for a Python that has no wheel of it.
    pkg-config --exists libffi 2>/dev/null || echo libffi-dev
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 || return 0
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq || true
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null || true
}

main() {
    local missing
    [ "${1:-}" != gauntlet ] || TOOLS=$GAUNTLET FILES=
    mapfile -t missing < <(missing_packages | sort -u)
    if [ "${1:-}" != --check ]; then
        [ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
        mapfile -t missing < <(missing_packages | sort -u)
    fi
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "${SW_REQUIRE_ALL:-}" = 1 ]; then
        printf 'tools: failed: %s is missing\n' "${missing[@]}" >&2
        return 1
    fi
    echo "skipped: what needs ${missing[*]}"
}

main "$@"
