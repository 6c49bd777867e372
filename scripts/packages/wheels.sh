#!/usr/bin/env bash
# Makes the wheels of the Python client: one for each triple of the stage, held by auditwheel to what
# its name says, and one without library, for all other platforms.
#   scripts/packages/wheels.sh      STAGE, DIST, TRIPLES: see settings.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

# As wheels spell it; a pip before 20.3 knows glibc 2.17 as manylinux2014.
declare -A platforms=(
    [x86_64-linux-gnu]=manylinux_2_17_x86_64.manylinux2014_x86_64
    [aarch64-linux-gnu]=manylinux_2_17_aarch64.manylinux2014_aarch64
    [x86_64-linux-musl]=musllinux_1_2_x86_64
)

# Copies of a stage what wheels take. They name the libc of musl as Alpine does, which each musl knows as
# itself: by that auditwheel knows them.
take() { # <triple>
    local taken=$scratch/stage/$1
    mkdir -p "$taken/lib" "$taken/bin"
    cp "$stage/THIRD-PARTY.txt" "$scratch/stage"
    cp "$stage/$1/lib/"libsmolwf{,_pq}.so "$taken/lib"
    cp "$stage/$1/bin/swctl" "$taken/bin"
    [ "$1" != x86_64-linux-musl ] ||
        "$bin/patchelf" --replace-needed libc.so libc.musl-x86_64.so.1 "$taken/lib/"libsmolwf{,_pq}.so
}

# Makes a wheel of the environment's SMOLWF_STAGE and SMOLWF_PLATFORM, or one without library.
build() {
    rm -rf "$room"
    (cd clients/python && "$bin/hatchling" build -t wheel -d "$room") >"$room.log" 2>&1 || fail "$(cat "$room.log")"
    wheel=$(compgen -G "$room/*.whl")
}

# auditwheel names the oldest system that has all that the wheel asks for.
hold() { # <platform, without other names of it>
    local said oldest
    said=$("$bin/auditwheel" show "$wheel" 2>&1 | tr '\n' ' ') || fail "${wheel##*/}: auditwheel: $said"
    [[ $said != *ignoring:* ]] || fail "${wheel##*/}: auditwheel finds a file of another processor: $said"
    oldest=$(sed -n 's/.*following platform tag: *"\([^"]*\)".*/\1/p' <<<"$said")
    [ "${oldest%%_*}" = "${1%%_*}" ] && [ "$(printf '%s\n' "$1" "$oldest" | sort -V | tail -n 1)" = "$1" ] ||
        fail "${wheel##*/}: auditwheel finds that it needs '$oldest': $said"
}

put() {
    mv "$wheel" "$dist"
    echo "$dist/${wheel##*/}"
}

bin=$(scripts/venv.sh wheels)
scratch=$(mktemp -d)
room=$scratch/wheel
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$dist"
for triple in "${triples[@]}"; do
    for part in "$triple/lib/"libsmolwf{,_pq}.so "$triple/bin/swctl" THIRD-PARTY.txt; do
        [ -e "$stage/$part" ] || fail "$stage/$part is missing"
    done
    platform=${platforms[$triple]}
    take "$triple"
    SMOLWF_STAGE=$scratch/stage/$triple SMOLWF_PLATFORM=$platform build
    hold "${platform%%.*}"
    put
done
build
put
