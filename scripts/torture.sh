#!/usr/bin/env bash
# Tortures a shared library as it is shipped: cuts the power after the operations of workloads that
# together call every writing function, and has operations fail. Ends with 0 when nothing is lost.
#   scripts/torture.sh crash 60          a sample of the places, for a minute; 0 is every place
#   scripts/torture.sh errors 60         operations fail, by lot; 0 is each with each of its errors
#   scripts/torture.sh syncs 60          syncs alone, after which the power goes
#   scripts/torture.sh memory 60         SQLite gets no memory
#   scripts/torture.sh lie 5             on a disk that does not sync: must find what is lost, and end with 1
#   scripts/torture.sh crash 0 process   one workload of those in tests/torture/work.c
# SMOLWF_LIBRARY names the library, the release one if absent; SMOLWF_SEED repeats what was drawn.
set -euo pipefail
cd "$(dirname "$0")/.."
library=$(realpath "${SMOLWF_LIBRARY:-${CARGO_TARGET_DIR:-target}/release/libsmolwf.so}")
seed=${SMOLWF_SEED:-$RANDOM$RANDOM}
stage=/dev/shm
[ -w "$stage" ] || stage=${TMPDIR:-/tmp}
folder=$(mktemp -d "$stage/torture.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# Cut short from outside, the shell ends with it and leaves nothing.
trap 'exit 130' INT TERM

for name in libsmolwf.so libsmolwf.so.0; do ln -s "$library" "$folder/$name"; done
flags=(-std=gnu11 -Wall -Wextra -O1 -g -pthread -Iinclude)
"${CC:-cc}" "${flags[@]}" -fPIC -shared -o "$folder/layer.so" tests/torture/layer*.c -ldl
sources=()
for source in tests/torture/*.c; do
    [[ $source == */layer*.c ]] || sources+=("$source")
done
"${CC:-cc}" "${flags[@]}" -o "$folder/torture" "${sources[@]}" -L"$folder" -lsmolwf \
    -Wl,-rpath,"$folder" -ldl

what=$1
shift
echo "torture: $library; again: SMOLWF_SEED=$seed scripts/torture.sh $what $*"
LD_PRELOAD="$folder/layer.so" "$folder/torture" "$folder" include/smolwf.h "$what" "$seed" "$@"
