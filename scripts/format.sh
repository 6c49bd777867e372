#!/usr/bin/env bash
# Formats C and C++, with the clang-format that requirements/checks.txt locks. Generated headers stay
# as they are made.
#   scripts/format.sh           writes
#   scripts/format.sh --check   only says what it would change
set -euo pipefail
cd "$(dirname "$0")/.."
if ! bin=$(scripts/venv.sh 2>&1); then
    echo "skipped: clang-format: $bin"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
fi
mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run --Werror)
find include clients examples tests -name node_modules -prune -o \
    \( -name '*.[ch]' -o -name '*.[ch]pp' \) -type f \
    ! -path include/smolwf.h ! -path tests/abi/first.h -print0 |
    xargs -0 "$bin/clang-format" "${mode[@]}"
