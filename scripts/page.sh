#!/usr/bin/env bash
# Checks the page of `swctl serve`: its form, what the server lets in, and the page itself in a browser,
# Debian's chromium (SW_CHROMIUM names another), beside a worker of the client for Node. A machine that
# lacks one of these skips what needs it, unless SW_REQUIRE_ALL=1.
#   scripts/page.sh                  all of it
#   scripts/page.sh served           the files of tests that begin so
#   scripts/page.sh --run <program>  a program for Node that wants the same things about it
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: the page of swctl: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
}

command -v node >/dev/null 2>&1 || skip "node is missing"
command -v npm >/dev/null 2>&1 || skip "npm is missing"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' ||
    skip "node $(node --version) is older than 20"

"${CARGO:-cargo}" build --locked --quiet --lib
(cd tools/swctl && "${CARGO:-cargo}" build --locked --quiet)
SMOLWF_LIBRARY=${SMOLWF_LIBRARY:-${CARGO_TARGET_DIR:-$PWD/target}/debug/libsmolwf.so}
SWCTL=${CARGO_TARGET_DIR:-$PWD/tools/swctl/target}/debug/swctl
SW_CHROMIUM=${SW_CHROMIUM-$(command -v chromium || true)}
export SMOLWF_LIBRARY SWCTL SW_CHROMIUM

client=$PWD/clients/node
[ "$client/node_modules/.package-lock.json" -nt "$client/package-lock.json" ] ||
    npm --prefix "$client" ci --silent --ignore-scripts ||
    skip "the packages of clients/node cannot be installed"
(cd "$client" && node_modules/.bin/tsc)

if [ "${1:-}" = --run ]; then
    shift
    exec node "$@"
fi
(cd tools/swctl && "$client/node_modules/.bin/biome" ci --error-on-warnings .)
status=0
node tools/swctl/tests/page/all.js "$@" || status=$?
if [ -z "$SW_CHROMIUM" ] && [ "${SW_REQUIRE_ALL:-}" = 1 ]; then
    echo "page: failed: chromium is missing" >&2
    status=1
fi
exit "$status"
