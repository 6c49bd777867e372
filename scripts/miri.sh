#!/usr/bin/env bash
# Runs unit tests in Miri, which sees each access to memory that Rust does not allow, and races: those that
# ask neither SQLite nor the system for anything, as it can run no C.
#   scripts/miri.sh           all of them
#   scripts/miri.sh json::    some
# MIRI_TOOLCHAIN names the toolchain that has it: nightly, if not set.
set -euo pipefail
cd "$(dirname "$0")/.."
toolchain=${MIRI_TOOLCHAIN:-nightly}
if ! cargo "+$toolchain" miri --version >/dev/null 2>&1; then
    echo "skipped: Miri is missing (rustup component add miri rust-src --toolchain $toolchain)"
    [ "${SW_REQUIRE_ALL:-}" != 1 ] || exit 1
    exit 0
fi
TOPICS=(id:: json:: text:: lock:: ffi::args ffi::guard ffi::handle ffi::options ffi::out ffi::run domain::backoff)
[ $# -eq 0 ] || TOPICS=("$@")
cargo "+$toolchain" miri test --locked --lib --target-dir "$(realpath -m "${CARGO_TARGET_DIR:-target}")/miri" -- "${TOPICS[@]}"
