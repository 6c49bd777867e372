#!/usr/bin/env bash
# Builds and runs a program of examples/c on a fresh store, and holds what it prints against its
# transcript in examples/expected. Lines that begin with "# " are measurements and not compared.
#   scripts/example.sh approval
#   scripts/example.sh transfer kills 100    what follows the name goes to the program
#   SMOLWF_STORE=store   another file, or postgresql://...; nothing may have been done there
#   SMOLWF_LIB_DIR=path  take libsmolwf.so from there instead of building the release library
set -euo pipefail

name=$1
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smolwf-$name.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

lib=${SMOLWF_LIB_DIR:-}
if [ -z "$lib" ]; then
    # One that opens URLs is built beside the usual one.
    target=$(cd "$repository" && realpath -m "${CARGO_TARGET_DIR:-target}${SMOLWF_STORE:+/postgres}")
    (cd "$repository" && cargo library --locked --quiet --target-dir "$target" ${SMOLWF_STORE:+--features postgres})
    lib=$target/release
fi
for file in libsmolwf.so libsmolwf.so.0; do ln -s "$lib/libsmolwf.so" "$scratch/$file"; done
"${CC:-cc}" -std=gnu11 -O2 -pthread -I "$repository/include" "$repository/examples/c/$name.c" \
    -Wl,-rpath,"$scratch" -L "$scratch" -o "$scratch/$name" -lsmolwf

"$scratch/$name" "${SMOLWF_STORE:-$scratch/$name.db}" "$@" | tee "$scratch/printed"
if ! diff <(grep -v '^# ' "$scratch/printed") "$repository/examples/expected/$name.txt" >"$scratch/diff"; then
    echo "$name printed something else than examples/expected/$name.txt:" >&2
    cat "$scratch/diff" >&2
    exit 1
fi
