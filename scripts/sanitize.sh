#!/usr/bin/env bash
# Runs the unit tests of Rust and the C programs of tests/c in a library that sanitizers watch, SQLite's C and
# Rust's std with it. First each fault of src/plant.rs that is theirs must be found, in our code and in
# SQLite's; then nothing may be found. What it builds stays in target/sanitize.
#   scripts/sanitize.sh address         strays in memory, leaks, and what C leaves undefined
#   scripts/sanitize.sh thread          races of threads
#   scripts/sanitize.sh thread watch    only tests with such a name
# What is not watched, and why: tests/sanitize.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=$1
filter=${2:-}
target=$(rustc -vV | sed -n 's/^host: //p')
room=$(realpath -m "${CARGO_TARGET_DIR:-target}")/sanitize/$mode
findings=$room/findings

missing() { # <what> <how it is had>
    echo "skipped: $1 is missing, for sanitizers ($2)"
    [ "${SW_REQUIRE_ALL:-}" != 1 ] || exit 1
    exit 0
}

# Without names of functions nothing that is told below to be left alone would be known.
command -v llvm-symbolizer >/dev/null || command -v addr2line >/dev/null || missing addr2line binutils
[ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ] ||
    missing "the source of Rust's std" 'rustup component add rust-src'

# What the C calls, of whatever compiler, is Rust's runtime, and that stands in the program.
runtime=$(echo "$(rustc --print target-libdir)"/librustc*_rt."${mode:0:1}"san.a)
c="-fsanitize=$mode -fno-omit-frame-pointer"
case $mode in
address) c="$c -fsanitize=undefined -fno-sanitize-recover=undefined" ;;
# So says SQLite itself to clang of two functions that read what may be torn, and find out.
thread) c="$c -DSQLITE_NO_TSAN=__attribute__((no_sanitize_thread))" ;;
esac
export SMOLWF_SANITIZED_C="$c -DSLOWER=10 -DALLOCATOR_HELD_AT_FORKS"
export SMOLWF_SANITIZED_LINK="-Wl,--export-dynamic -Wl,--whole-archive $runtime -Wl,--no-whole-archive -ldl -lrt -lm -lresolv"
export "CFLAGS_${target//-/_}=$c"
# Sanitizers are not among what is stable of Rust.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cforce-frame-pointers=yes -Clinker=${CC:-cc} -Zsanitizer=$mode"
export ASAN_OPTIONS="log_path=$findings/found:detect_stack_use_after_return=1"
export UBSAN_OPTIONS="log_path=$findings/found:print_stacktrace=1"
export TSAN_OPTIONS="log_path=$findings/found:suppressions=$PWD/tests/sanitize/thread.txt:print_suppressions=0:die_after_fork=0"

cargo_test() { # <arguments of cargo>
    "${CARGO:-cargo}" test --locked --no-fail-fast -Zbuild-std --features plant --target "$target" --target-dir "$room" \
        --config profile.dev.opt-level=1 --config 'profile.dev.package."*".opt-level=1' "$@"
}

# Runs a suite; fails when it does, or when any process of it reported something, whatever became of that.
suite() { # lib | c <arguments of the suite>...
    local of=(--lib) status=0
    [ "$1" != c ] || of=(--test c)
    rm -rf "$findings"
    mkdir -p "$findings"
    cargo_test "${of[@]}" -- "${@:2}" || status=1
    [ -z "$(ls -A "$findings")" ] || status=1
    return "$status"
}

must_find() { # <plant> <words of its report>
    local which tests log=$room/planted.log
    for which in lib c; do
        tests=a_link_to_a_file_that_is_yet_to_be_made_leads_to_it
        [ "$which" != c ] || tests=stores_open_migrate_and_close
        if SW_PLANT=$1 suite "$which" "$tests" >"$log" 2>&1 || ! grep -rqF "$2" "$log" "$findings"; then
            cat "$log"
            echo "sanitize: failed: $mode does not find $1 in the tests of $which"
            exit 1
        fi
    done
    echo "sanitize: $mode finds $1, which is planted"
}

cargo_test --lib --test c --no-run
case $mode in
address)
    must_find stray_read 'heap-buffer-overflow'
    must_find stray_read_of_sqlite 'heap-buffer-overflow'
    must_find leak 'detected memory leaks'
    must_find leak_of_sqlite 'detected memory leaks'
    must_find broken_promise 'unsafe precondition(s) violated'
    must_find broken_promise_of_sqlite 'within misaligned address'
    ;;
thread)
    must_find race 'data race'
    must_find race_of_sqlite 'data race'
    ;;
esac
mapfile -t left_out < <(sed -n "s/^$mode \([a-z0-9_:]*\)$/--skip=\1/p" tests/sanitize/left-out.txt)
status=0
for which in lib c; do
    suite "$which" "${left_out[@]}" ${filter:+"$filter"} || status=1
    cat "$findings"/* 2>/dev/null || true
done
[ "$status" -eq 0 ] || echo "sanitize: failed: $mode found something"
exit "$status"
