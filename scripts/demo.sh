#!/usr/bin/env bash
# Indexes a folder, kills the indexer with SIGKILL part-way, starts it again, and shows from a log
# outside the store that no finished file was worked on twice. Set any of these:
#   DIR=path             the folder to index; this repository when absent; it is only read
#   KILL_AFTER=n         kill after n lines of the log; half of the files when absent
#   PAUSE_MS=n           make each file take n ms longer until the kill; fitted to the folder when absent
#   PAUSE_AT=recording   pause between a file's work and its recording, the worst moment for a kill
#   SMOLWF_STORE=url     keep what is done in PostgreSQL, in a schema that no demo has used: postgresql://...
#   SMOLWF_LIB_DIR=path  take libsmolwf.so from there instead of building the release library
#   KEEP=1               keep the temporary folder
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$(cd "${DIR:-$repository}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/smolwf-demo.XXXXXX")
state=$scratch/state
indexer=

say() { printf '%s\n' "$*"; }
fail() {
    say "demo: $*" >&2
    exit 1
}

clean_up() {
    if [ -n "$indexer" ]; then kill -9 "$indexer" 2>/dev/null || true; fi
    if [ "${KEEP:-}" = 1 ]; then
        say "kept: $scratch"
    else
        rm -rf "$scratch"
    fi
}
trap clean_up EXIT

build() {
    local lib=${SMOLWF_LIB_DIR:-}
    if [ -z "$lib" ]; then
        # One that opens URLs is built beside the usual one.
        local target
        target=$(cd "$repository" && realpath -m "${CARGO_TARGET_DIR:-target}${SMOLWF_STORE:+/postgres}")
        (cd "$repository" && cargo library --locked --quiet --target-dir "$target" ${SMOLWF_STORE:+--features postgres})
        lib=$target/release
    fi
    ln -s "$lib/libsmolwf.so" "$scratch/libsmolwf.so"
    ln -s "$lib/libsmolwf.so" "$scratch/libsmolwf.so.0"
    "${CC:-cc}" -std=c99 -O2 -Wall -Wextra -I "$repository/include" \
        "$repository/examples/c/index_tree.c" -o "$scratch/index_tree" \
        -L "$scratch" -lsmolwf -Wl,-rpath,"$scratch"
}

index_tree() { "$scratch/index_tree" --state "$state" ${SMOLWF_STORE:+--store "$SMOLWF_STORE"} "$@" "$folder"; }

log_lines() { cat "$state"/run_*.log 2>/dev/null | wc -l; }

# Starts the indexer and kills it when its log has grown to $1 lines.
start_and_kill() {
    local pause=--pause-ms
    if [ "${PAUSE_AT:-}" = recording ]; then pause=--pause-record-ms; fi
    "$scratch/index_tree" --state "$state" ${SMOLWF_STORE:+--store "$SMOLWF_STORE"} "$pause" "$2" "$folder" &
    indexer=$!
    while [ "$(log_lines)" -lt "$1" ]; do
        kill -0 "$indexer" 2>/dev/null || fail "the indexer ended before it could be killed; set PAUSE_MS"
        sleep 0.01
    done
    kill -9 "$indexer" 2>/dev/null || fail "the indexer ended before it could be killed; set PAUSE_MS"
    local status=0
    wait "$indexer" 2>/dev/null || status=$?
    [ "$status" -eq 137 ] || fail "the indexer ended with $status before it was killed; set PAUSE_MS"
    say "killed process $indexer with SIGKILL"
    indexer=
}

# Compares three witnesses: the steps the store had recorded at the kill, the log at the kill, and
# the log at the end. A log line is "<pid> <step id> <file>".
prove() {
    awk -v recorded="$scratch/recorded" -v at_kill="$scratch/log-at-kill" '
        function name() { return substr($0, length($1) + length($2) + 3) }
        FILENAME == recorded { is_recorded[$0] = 1; recorded_count++; next }
        FILENAME == at_kill  { was_logged[name()] = 1; first = $1; next }
        { lines++; seen[name()]++; if ($1 != first) second = $1 }
        END {
            for (file in is_recorded) { if (seen[file] == 1 && file in was_logged) once++; else bad++ }
            for (file in was_logged) if (!(file in is_recorded)) { in_flight++; flying = file; again = seen[file] }
            for (file in seen) { files++; if (!(file in was_logged)) { later++; if (seen[file] > 1) bad++ } }
            printf "the log has %d lines for %d files:\n", lines, files
            printf "  %d files were recorded before the kill; %d of them have exactly one line, from process %s\n", recorded_count, once, first
            if (in_flight) {
                printf "  %d was in flight: %s had been worked on, but the kill came before its result was recorded;\n", in_flight, flying
                printf "    its work was done again, so it has %d lines. That is the promise: work may run again, a result is recorded once\n", again
            } else {
                print "  none was in flight: the kill hit no file between its work and its recording"
            }
            printf "  %d files were begun after the kill and have one line each, from process %s\n", later, second
            if (bad || in_flight > 1 || again > 2 || !recorded_count || !later) { print "NOT PROVEN"; exit 1 }
            printf "proof: no finished file was worked on twice (finished before the kill: %d, their lines in the log: %d)\n", recorded_count, once
        }' "$scratch/recorded" "$scratch/log-at-kill" "$state"/run_*.log
}

compare_with_undisturbed() {
    "$scratch/index_tree" --state "$scratch/undisturbed" "$folder" >/dev/null 2>&1
    if cmp -s "$state"/run_*.jsonl "$scratch/undisturbed"/run_*.jsonl; then
        say "the index equals, byte for byte, that of a run that nobody killed"
    else
        say "the index differs from that of a run that nobody killed; a file changed meanwhile would do that:"
        diff "$state"/run_*.jsonl "$scratch/undisturbed"/run_*.jsonl | head -n 6 || true
    fi
}

main() {
    build
    local files
    files=$(index_tree --list | wc -l)
    [ "$files" -ge 4 ] || fail "$folder has $files files, the demo needs four"
    local kill_after=${KILL_AFTER:-$((files / 2))} pause=${PAUSE_MS:-$((3000 / files))}
    if [ "$kill_after" -lt 1 ] || [ "$kill_after" -ge "$files" ]; then
        fail "KILL_AFTER is $kill_after, it must be 1 to $((files - 1))"
    fi
    say "folder: $folder ($files files)"
    say "temporary folder: $scratch"
    say
    say "== first start, to be killed after $kill_after files"
    start_and_kill "$kill_after" "$pause"
    cat "$state"/run_*.log >"$scratch/log-at-kill"
    index_tree --recorded >"$scratch/recorded"
    say
    say "== second start: what is recorded is replayed, the rest is done"
    index_tree
    say
    say "== third start"
    index_tree
    say
    say "== history"
    index_tree --history
    say
    say "== proof"
    compare_with_undisturbed
    prove
    say
    look
}

# Names the tool, and lets it tell the story itself where `make tool` has built it.
look() {
    local built=${CARGO_TARGET_DIR:-$repository/tools/swctl/target}/release/swctl
    say "== look at it yourself (make tool builds swctl; KEEP=1 keeps the store)"
    # The tool of `make tool` opens files alone, and the URL itself may hold a password.
    if [ -n "${SMOLWF_STORE:-}" ]; then
        say 'swctl "$SMOLWF_STORE" show latest'
        return
    fi
    if [ -x "$built" ]; then "$built" "$state/store.db" ls --table; fi
    say "swctl $state/store.db show latest"
}

main
