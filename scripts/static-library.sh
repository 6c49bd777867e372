#!/usr/bin/env bash
# Makes a static library that shows the names of the C header and no others: Rust's own archive also
# shows every sqlite3_* name, and a host's own SQLite would be mixed up with ours.
#   static-library.sh <folder with libsmolwf.so and libsmolwf.a> <archive to make>
# LD, OBJCOPY and AR name tools for another machine.
set -euo pipefail
built=$1
archive=$2
read -ra ld <<<"${LD:-ld}"
read -ra objcopy <<<"${OBJCOPY:-objcopy}"
read -ra ar <<<"${AR:-ar}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The exports of the shared library are the roots; what none of them reaches is left out.
mapfile -t names < <(readelf --wide --dyn-syms "$built/libsmolwf.so" | awk '$7 ~ /^[0-9]/ && $8 ~ /^sw_/ { print $8 }')
"${ld[@]}" -r --gc-sections -e "${names[0]}" "${names[@]/#/--undefined=}" \
    "$built/libsmolwf.a" -o "$scratch/all.o"
# The compiler's bitcode goes too: tools of another version stumble over it.
"${objcopy[@]}" --strip-unneeded --remove-section=.llvmbc --remove-section=.llvmcmd \
    --wildcard --keep-global-symbol='sw_*' "$scratch/all.o" "$scratch/smolwf.o"
rm -f "$archive"
"${ar[@]}" rcsD "$archive" "$scratch/smolwf.o"
