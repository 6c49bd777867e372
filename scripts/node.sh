#!/usr/bin/env bash
# Checks the client in clients/node and the programs in examples/node that use it: types, lint, tests.
# Packages go to their node_modules, outside of git. A machine without Node skips it, unless
# SW_REQUIRE_ALL=1.
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

install() { # <folder>
    # npm writes this file last; it is newer than the lock once all is installed.
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] ||
        npm --prefix "$1" ci --silent --ignore-scripts || skip "the packages of $1 cannot be installed"
}

check() { # <folder>, with the tools of the client
    (
        cd "$1"
        rm -rf dist
        "$tools/tsc"
        "$tools/biome" ci --error-on-warnings .
    )
}

install clients/node
install examples/node
tools=$PWD/clients/node/node_modules/.bin
check clients/node
check examples/node

# The documents that the tests see are kept, and held to their shapes.
documents=$(realpath -m "${CARGO_TARGET_DIR:-target}")/kept/node
mkdir -p "${documents%/*}"
rm -f "$documents"
kept=$(scripts/kept.sh build "$SMOLWF_LIBRARY")
export SMOLWF_LIBRARY=$kept SW_DOCUMENTS=$documents
status=0
(cd clients/node && node dist/test/all.js "$@") || status=$?
scripts/kept.sh hold "$documents" || status=$?
scripts/pages.sh node || status=$?
exit "$status"
