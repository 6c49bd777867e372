#!/usr/bin/env bash
# Builds the OpenSSL that the libpq of packages is linked with, from the sources that the lock of tools/libpq
# names, and prints the folder that has it. It loads no engine and no module, and looks for certificates of the
# system where Debian has them. Quick when it is there.
#   scripts/packages/openssl.sh <triple>, with the folder of zig in PATH
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

# What PostgreSQL's protocol has no use for.
LEFT_OUT='no-apps no-cmp no-cms no-comp no-ct no-docs no-dso no-dtls no-engine no-gost no-idea no-legacy no-module no-ocsp
    no-psk no-quic no-rc4 no-rfc3779 no-shared no-sm2 no-sm3 no-sm4 no-srp no-srtp no-ssl-trace no-tests no-ts no-ui-console no-whirlpool'

sources() {
    cargo metadata --format-version=1 --locked --manifest-path=tools/libpq/Cargo.toml |
        python3 -c 'import json, os, sys
path, = [it["manifest_path"] for it in json.load(sys.stdin)["packages"] if it["name"] == "openssl-src"]
print(os.path.join(os.path.dirname(path), "openssl"))'
}

# Its compiler is called by its name alone, as it is told in the library.
name_compiler() { # <folder>
    local zig_target=$1
    [ "${1##*-}" = musl ] || zig_target+=.2.17
    printf '#!/bin/sh\nexec python-zig cc -target %s "$@"\n' "$zig_target" >"$2/zigcc"
    printf '#!/bin/sh\nexec python-zig ar "$@"\n' >"$2/zigar"
    printf '#!/bin/sh\nexec python-zig ranlib "$@"\n' >"$2/zigranlib"
    chmod +x "$2"/zig*
}

# In a copy of the sources, so that the names of files, which it has in it, are those within them.
build() { # <triple> <sources>
    cp -r "$2" "$room/built"
    mkdir "$room/programs"
    name_compiler "$1" "$room/programs"
    cd "$room/built"
    unset CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MAKEOVERRIDES
    export PATH=$room/programs:$PATH CC=zigcc AR=zigar RANLIB=zigranlib
    # shellcheck disable=SC2086
    perl ./Configure "linux-${1%%-*}" --prefix=/usr --libdir=lib --openssldir=/etc/ssl $LEFT_OUT \
        -Os -ffunction-sections -fdata-sections
    make -j "$(nproc)" build_libs
    make DESTDIR="$room" install_dev
}

command -v perl >/dev/null || fail "perl is missing, which OpenSSL is configured by"
from=$(sources)
room=$target/packages/openssl/$1
made=$room/made
wanted=$(echo "$from" | cat - "$0" requirements/packages.txt | sha256sum)
if [ "$(cat "$made" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$room"
    mkdir -p "$room"
    # Not as a condition, in which nothing that fails would end it.
    set +e
    (set -e && build "$1" "$from") >"$room/log" 2>&1
    status=$?
    set -e
    [ "$status" -eq 0 ] || fail "$1: OpenSSL: $(tail -n 5 "$room/log")"
    echo "$wanted" >"$made"
fi
echo "$room/usr"
