#!/usr/bin/env bash
# Plays examples/polyglot: one file, four languages. What it needs, the checks of the clients have
# made: run those of Go, Node and Python before.
set -euo pipefail
cd "$(dirname "$0")/.."
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")
python=$built/python/venv/bin/python
compiler=${CXX:-c++}
release=examples/node/dist/release.js

for part in "$python" "$built/go/shout" "$release"; do
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
    examples/polyglot/count.cpp -L "$built/go" -lsmolwf "-Wl,-rpath,$built/go"
export SMOLWF_LIBRARY=$built/debug/libsmolwf.so PYTHONPATH=clients/python PYTHONDONTWRITEBYTECODE=1
status=0
timeout 300 "$python" examples/polyglot/run.py "$room/a.db" "$room/count" "$built/go/shout" "$release" \
    | tee "$room/printed" || status=$?
grep -v '^# ' "$room/printed" | diff examples/expected/polyglot.txt - || status=1
echo "polyglot: $((status == 0 ? 1 : 0)) passed, $((status == 0 ? 0 : 1)) failed"
exit "$status"
