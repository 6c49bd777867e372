#!/usr/bin/env bash
# Looks for inputs that a judge of fuzz/judges refuses, guided by what the library runs for them (libFuzzer).
# What reaches something new is kept below fuzz/target/found; an input that fails stays there too, and the
# judge's words are printed. Mend what it shows, then copy it to fuzz/corpus, which tests/corpora.rs plays.
#   scripts/fuzz.sh <judge> <seconds>   `all` is each judge in turn, so long each
#   scripts/fuzz.sh keep <judge>        puts the least of what was found that reaches as much into the corpus
# Needs a C++ compiler, for libFuzzer; neither cargo-fuzz nor a nightly Rust: the flags are those that
# cargo-fuzz gives. SMOLWF_FUZZ_SANITIZER=address finds leaks as well. SW_PLANT names a fault to be found.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?a judge, all, or keep}
sanitizer=${SMOLWF_FUZZ_SANITIZER:-}
room=$(realpath -m "${CARGO_TARGET_DIR:-fuzz/target}")
found=$room/found
host=$(rustc -vV | sed -n 's/^host: //p')

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "skipped: a C++ compiler is missing, which libFuzzer needs"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
fi

# Puts the program into $program.
build() {
    local flags="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=4" option
    for option in level=4 inline-8bit-counters pc-table trace-compares; do
        flags+=" -Cllvm-args=-sanitizer-coverage-$option"
    done
    if [ -n "$sanitizer" ]; then
        flags+=" -Zsanitizer=$sanitizer"
        export RUSTC_BOOTSTRAP=1
        room=$room/$sanitizer
    fi
    # The target is named so that what runs while it is built is built without the flags.
    CARGO_TARGET_DIR=$room RUSTFLAGS=$flags "${CARGO:-cargo}" build --quiet --locked --release \
        --manifest-path fuzz/Cargo.toml --target "$host" ${SW_PLANT:+--features plant}
    program=$room/$host/release/fuzz
}

# How long an input is at most: what is longer is slower and says no more.
length() {
    case $1 in
    calls | json) echo 256 ;;
    script) echo 512 ;;
    *) echo 96 ;;
    esac
}

run() { # <judge> <option>...
    local judge=$1
    shift
    mkdir -p "$found/$judge"
    SMOLWF_FUZZ=$judge "$program" -timeout=60 -rss_limit_mb=2048 -max_len="$(length "$judge")" \
        -artifact_prefix="$found/$judge-" "$@"
}

look() { # <judge> <seconds>
    echo "== $1"
    run "$1" -max_total_time="$2" -print_final_stats=1 "$found/$1" "fuzz/corpus/$1" 2>&1 |
        tee "$found/$1.log" | grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD|pulse)'
}

keep() { # <judge>
    local judge=$1 least
    least=$(mktemp -d)
    run "$judge" -merge=1 -use_counters=0 "$least" "fuzz/corpus/$judge" "$found/$judge" 2>&1 | tail -n 2
    cp -n "$least"/* "fuzz/corpus/$judge/"
    rm -rf "$least"
}

judges=(calls cron cursor file import json script)
mkdir -p "$found"
build
case $what in
keep) keep "${2:?a judge}" ;;
all) for judge in "${judges[@]}"; do look "$judge" "${2:?seconds}"; done ;;
*) look "$what" "${2:?seconds}" ;;
esac
