#!/usr/bin/env bash
# Checks the client for Node in clients/node: types, lint, tests. Packages go to its node_modules,
# outside of git. A machine without Node skips it, unless SW_REQUIRE_ALL=1.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: the client for Node: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
}

command -v node >/dev/null 2>&1 || skip "node is missing"
command -v npm >/dev/null 2>&1 || skip "npm is missing"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' ||
    skip "node $(node --version) is older than 20"

if [ -z "${SMOLWF_LIBRARY:-}" ]; then
    "${CARGO:-cargo}" build --locked --quiet --lib
    SMOLWF_LIBRARY=${CARGO_TARGET_DIR:-$PWD/target}/debug/libsmolwf.so
    export SMOLWF_LIBRARY
fi

cd clients/node
# npm writes this file last; it is newer than the lock once all is installed.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --silent --ignore-scripts || skip "its packages cannot be installed"
fi
rm -rf dist
npx --no-install tsc
npx --no-install biome ci --error-on-warnings .
node dist/test/all.js
