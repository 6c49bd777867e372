#!/usr/bin/env bash
# Replicates a store under load by Litestream, kills both, restores, and looks that nothing is lost but
# what the replica had not got yet: scripts/litestream.py. Without python3, network or a Litestream for
# this machine it is a printed skip, or a failure where SW_REQUIRE_ALL=1 asks for everything.
#   scripts/litestream.sh <seconds>
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

skip() { # <reason>
    echo "skipped: litestream: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
}

bin=$(scripts/venv.sh 2>&1) || skip "$bin"
"$bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps \
    --only-binary :all: -r requirements/litestream.txt >"$target/python/litestream.log" 2>&1 ||
    skip "it cannot be installed, see $target/python/litestream.log"
if [ -z "${SMOLWF_LIBRARY:-}" ]; then
    "${CARGO:-cargo}" build --quiet --locked
    export SMOLWF_LIBRARY=$target/debug/libsmolwf.so
fi
export PYTHONPATH=clients/python PYTHONDONTWRITEBYTECODE=1
exec "$bin/python" scripts/litestream.py "$bin/litestream" "$1"
