#!/usr/bin/env bash
# Runs parts of the checks, all of them whatever fails, and sums up at the end: what passed, what
# failed and which of its tests, what was skipped and why, and how many tests there were. Each part is
# a target of the Makefile; what it said stays in target/check. Fails when a part failed, and with
# SW_REQUIRE_ALL=1 when anything was skipped.
#   scripts/check.sh <part>...
set -uo pipefail
cd "$(dirname "$0")/.."
room=$(realpath -m "${CARGO_TARGET_DIR:-target}")/check
mkdir -p "$room"
rm -f "$room"/*.log
# No part ends on its own what waits for ever, and whoever asked for all would learn nothing.
patience=${SW_PART_SECONDS:-2400}
at_work=
trap '[ -z "$at_work" ] || kill "$at_work"; exit 130' INT TERM
# Whatever a shell starts in the background ignores these, and so would the programs to which a test
# sends one, for ever.
heeds=(env --default-signal=INT,QUIT)
"${heeds[@]}" true 2>/dev/null || heeds=()

# What failed in a part, by name: tests of cargo, pytest, go and node, and targets of make.
failures() {
    sed -nE -e 's/^test (.*) \.\.\. FAILED$/\1/p' \
        -e 's/^FAILED:? ([^ ].*)$/\1/p' -e 's/^ERROR (tests\/.*)$/\1/p' \
        -e 's/^ *--- FAIL: ([^ ]+).*/\1/p' -e 's/^[a-z]+: failed: (.*)/\1/p' \
        -e 's/^make(\[[0-9]+\])?: \*\*\* \[[^]]*: ([^]]+)\] .*/\2/p' "$1" | sort -u
}

# What was skipped and why, each reason once.
reasons() {
    cat "$@" | grep -oE 'skipped: .*|SKIPPED \[.*' | sort | uniq -c |
        sed -E 's/^ *1 //; s/^ *([0-9]+) (.*)/\2 (\1 times)/'
}

# Adds up the closing lines of a part's suites, as in "python: 12 passed, 0 failed, 1 skipped".
count() {
    awk '
        /^test result: / {
            for (i = 2; i <= NF; i++) {
                if ($i == "passed;") passed += $(i - 1)
                if ($i == "failed;") failed += $(i - 1)
                if ($i == "ignored;") skipped += $(i - 1)
            }
        }
        /^([a-z][a-z0-9_+-]*: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
            at = ($2 == "passed,") ? 1 : 2
            passed += $at
            failed += $(at + 2)
            skipped += $(at + 4)
        }
        /skipped: |^SKIPPED \[/ { reasons++ }
        END { print passed + 0, failed + 0, (skipped > reasons ? skipped : reasons) + 0 }' "$1"
}

run() { # <part>
    echo
    echo "== $1"
    local began=$SECONDS verdict=passed tests log=$room/$1.log
    : >"$log"
    # With all that it starts, which timeout ends as well.
    "${heeds[@]}" timeout -k 60 "$patience" "${MAKE:-make}" --no-print-directory --keep-going "$1" >"$log" 2>&1 &
    at_work=$!
    tail -n +1 -s 0.2 -f --pid="$at_work" "$log" &
    local status=0 shown=$!
    wait "$at_work" || status=$?
    wait "$shown"
    at_work=
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "$1: failed: no end in $patience s" | tee -a "$log"
    fi
    read -ra tests < <(count "$log")
    if [ "$status" -ne 0 ]; then
        verdict=failed
        broken+=("$1")
        [ "${tests[1]}" -gt 0 ] || tests[1]=1
    elif [ "${tests[0]}" -eq 0 ] && [ "${tests[2]}" -eq 0 ]; then
        tests[0]=1 # a part that has no tests to count, such as the lints
    fi
    passed=$((passed + tests[0]))
    failed=$((failed + tests[1]))
    skipped=$((skipped + tests[2]))
    verdicts+=("$(printf '%-7s %-9s %4d s' "$verdict" "$1" $((SECONDS - began)))")
}

# Their names in one line, for who keeps the end of a log only.
all_failures() {
    for part in "${broken[@]}"; do failures "$room/$part.log"; done | paste -sd ' '
}

sum_up() {
    local part skips=
    echo
    echo "== the checks, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
    printf '%s\n' "${verdicts[@]}"
    for part in "${broken[@]}"; do
        echo "failed in $part, see $room/$part.log:"
        failures "$room/$part.log" | sed 's/^/    /'
    done
    reasons "$room"/*.log
    if [ "$skipped" -gt 0 ]; then
        skips=", $skipped skipped"
        [ "${SW_REQUIRE_ALL:-}" != 1 ] || echo "failed: SW_REQUIRE_ALL=1 asks for what was skipped"
    fi
    [ ${#broken[@]} -eq 0 ] || echo "failed: $(all_failures)"
    echo "$passed passed, $failed failed$skips"
}

verdicts=()
broken=()
passed=0 failed=0 skipped=0
for part in "$@"; do run "$part"; done
sum_up
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && { [ "$skipped" -eq 0 ] || [ "${SW_REQUIRE_ALL:-}" != 1 ]; }
