#!/usr/bin/env bash
# Makes the pictures of the page anew that README.md and docs/PAGE.md show, from a store that is worked
# at while they are taken, and tells what the browser measured. Wants what scripts/page.sh wants.
set -euo pipefail
cd "$(dirname "$0")/.."
SW_REQUIRE_ALL=1 scripts/page.sh --run tools/swctl/tests/page/pictures.js docs/pictures
