#!/usr/bin/env bash
# Holds the documents that a client's suite sees to docs/schemas.
#   scripts/kept.sh build <library>   builds what stands before the library and keeps them, prints its path
#   scripts/kept.sh hold <file>       says how many were kept; fails where one has another shape
set -euo pipefail
cd "$(dirname "$0")/.."

build() { # <library>
    local room
    room=$(realpath -m "${CARGO_TARGET_DIR:-target}")/kept
    mkdir -p "$room"
    ln -sfn "$(realpath "$1")" "$room/libsmolwf.so.0"
    # Another suite may have it loaded: so a new file takes its place.
    "${CC:-cc}" -std=c11 -O1 -shared -fPIC -Iinclude -o "$room/new.$$" tests/c/documents.c \
        "$room/libsmolwf.so.0" -Wl,-rpath,"$room" -ldl
    mv "$room/new.$$" "$room/libsmolwf-kept.so"
    echo "$room/libsmolwf-kept.so"
}

hold() { # <file>
    SW_DOCUMENTS=$(realpath -m "$1") "${CARGO:-cargo}" test --quiet --locked --test schemas \
        -- --exact what_was_kept_has_its_shape --nocapture
}

"$@"
