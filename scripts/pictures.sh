#!/usr/bin/env bash
# Makes the pictures of the documents anew, from stores that are worked at while they are taken, so that
# they show what there is: those of the page, telling what the browser measured (wants what scripts/page.sh
# wants), and of a terminal with `swctl top` (wants tmux and python3).
set -euo pipefail
cd "$(dirname "$0")/.."

manifest=tools/swctl/Cargo.toml
built=${CARGO_TARGET_DIR:-tools/swctl/target}/debug
scratch=$(mktemp -d)
terminal=(tmux -L "pictures-$$" -f /dev/null)
stage=

clean_up() {
    "${terminal[@]}" kill-server 2>/dev/null || true
    if [ -n "$stage" ]; then kill "$stage" 2>/dev/null || true; fi
    rm -rf "$scratch"
}
trap clean_up EXIT

# Fills a store and works in it until the script ends.
fill() {
    mkfifo "$scratch/open"
    "$built/examples/stage" "$scratch/app.db" work <"$scratch/open" &
    stage=$!
    exec 3>"$scratch/open"
    until "$built/swctl" "$scratch/app.db" ls --state completed 2>/dev/null | grep -q thumbnail; do sleep 0.1; done
}

# Draws what a terminal shows: <columns> <rows> <title> <file> <command>...
picture() {
    local columns=$1 rows=$2 title=$3 file=$4
    shift 4
    "${terminal[@]}" new-session -d -x "$columns" -y "$rows" "cd '$scratch' && exec env -u NO_COLOR $*"
    until "${terminal[@]}" capture-pane -p | grep -q owners; do sleep 0.1; done
    # A few runs end meanwhile.
    sleep 3
    "${terminal[@]}" capture-pane -e -p | python3 scripts/pictures.py "$columns" "$title" >"$file"
    "${terminal[@]}" kill-server
    echo "$file"
}

cargo build --locked --quiet --manifest-path "$manifest" --bin swctl --example stage
fill
mkdir -p docs/pictures
picture 112 38 'swctl app.db top' docs/pictures/top.svg "$(realpath "$built/swctl")" app.db top
SW_REQUIRE_ALL=1 scripts/page.sh --run tools/swctl/tests/page/pictures.js docs/pictures
