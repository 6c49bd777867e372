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
# What a panic carries is left where it is when dropping it panics as well: a leak, on purpose.
LEFT_OUT=(--skip a_panic_whose_payload_panics_when_dropped_is_a_code_too)
# So many texts that they would take the rest of the hour.
LEFT_OUT+=(--skip serde_json_agrees_on_what_is_json --skip the_canonicalizer_agrees_on_the_canonical_form)
TOPICS=(id:: json:: text:: lock:: clock:: stop:: ffi::args ffi::guard ffi::handle ffi::options ffi::out ffi::run)
[ $# -eq 0 ] || TOPICS=("$@")
# Clocks are asked, and a panic is not to be told with its whole way here, which takes a minute each.
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}" RUST_BACKTRACE=0
# Build scripts and what they need are run by the processor, once; to optimise them, and SQLite's C, takes
# three times as long as all the rest.
fast=(--config 'profile.dev.package."*".opt-level=0')
# Ends what hangs: all of it takes some minutes where nothing else runs.
timeout "${MIRI_SECONDS_MAX:-3600}" cargo "+$toolchain" miri test --locked --lib "${fast[@]}" \
    --target-dir "$(realpath -m "${CARGO_TARGET_DIR:-target}")/miri" -- \
    -Zunstable-options --report-time "${LEFT_OUT[@]}" "${TOPICS[@]}"
