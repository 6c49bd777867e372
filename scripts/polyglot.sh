#!/usr/bin/env bash
# Plays examples/polyglot: one store, four languages. What it needs, the checks of the clients have
# made: run those of Go, Node and Python before.
#   SMOLWF_STORE=store   another file, or postgresql://...; nothing may have been done there
#   SMOLWF_LIB_DIR=path  take libsmolwf.so, and shout of examples/go, from there
set -euo pipefail
cd "$(dirname "$0")/.."
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
python=$built/python/venv/bin/python
compiler=${CXX:-c++}
release=examples/node/dist/release.js
linked=${SMOLWF_LIB_DIR:-$built/go}

for part in "$python" "$linked/shout" "$release"; do
    [ ! -e "$part" ] || continue
    echo "skipped: polyglot: $part is missing"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
done

case $("$compiler" --version) in *clang*) kind=clang ;; *) kind=gcc ;; esac
strict=()
! scripts/strict.sh "$kind" "$("$compiler" -dumpversion)" || strict=(-Werror)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"$compiler" -std=c++17 -Wall -Wextra "${strict[@]}" -O1 -pthread -I include -o "$room/count" \
    examples/polyglot/count.cpp -L "$linked" -lsmolwf "-Wl,-rpath,$linked"
export SMOLWF_LIBRARY=${SMOLWF_LIB_DIR:-$built/debug}/libsmolwf.so PYTHONPATH=clients/python PYTHONDONTWRITEBYTECODE=1
status=0
timeout 300 "$python" examples/polyglot/run.py "${SMOLWF_STORE:-$room/a.db}" "$room/count" "$linked/shout" "$release" \
    | tee "$room/printed" || status=$?
grep -v '^# ' "$room/printed" | diff examples/expected/polyglot.txt - || status=1
echo "polyglot: $((status == 0 ? 1 : 0)) passed, $((status == 0 ? 0 : 1)) failed"
exit "$status"
