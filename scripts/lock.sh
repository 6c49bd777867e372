#!/usr/bin/env bash
# Locks what the checks install from PyPI: each requirements/<name>.in becomes <name>.txt, with the
# dependencies of its packages and the hashes of all their files, for Python 3.9 and newer on any
# machine. What is locked stays as it is until --upgrade asks for newer. uv, which does it, is locked
# by the same files.
#   scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check \
    --require-hashes --no-deps --only-binary :all: -r requirements/lock.txt
for wanted in requirements/*.in benches/peers/*.in; do
    # What is measured beside us needs more than our clients do.
    python=3.9
    [[ $wanted != benches/* ]] || python=3.11
    "$room/venv/bin/uv" pip compile --quiet --universal --python-version "$python" --fork-strategy fewest \
        --generate-hashes --no-annotate --no-python-downloads \
        --custom-compile-command scripts/lock.sh "$@" "$wanted" -o "${wanted%.in}.txt"
done
