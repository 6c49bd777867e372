#!/usr/bin/env bash
# Plays examples/other, bindings of languages that have no client here: LuaJIT, PHP, Ruby and Java.
# Each is killed with SIGKILL in its third step and goes on, and prints examples/expected/steps.txt.
# What a step costs is a line of its standard input: a step that was done twice would take the next
# one's. Holds the code that docs/FFI.md shows as well. A language that is missing is a printed skip,
# or a failure where SW_REQUIRE_ALL=1 asks for everything.
#   scripts/other.sh [lua|php|ruby|java...]    JNA=path names JNA's jar; SMOLWF_LIBRARY=path the library
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
jna=${JNA:-/usr/share/java/jna.jar}
passed=0 failed=0 skipped=0

# The command of a language, but for the file of the store, which is its last argument.
command_of() { # <language>
    case $1 in
    lua) steps=(luajit examples/other/steps.lua "$SMOLWF_LIBRARY" include/smolwf.cdef) ;;
    php) steps=(php examples/other/steps.php "$SMOLWF_LIBRARY" include/smolwf.cdef) ;;
    ruby) steps=(ruby -w examples/other/steps.rb "$SMOLWF_LIBRARY") ;;
    java) steps=(java -Djna.encoding=UTF-8 -cp "$jna" examples/other/Steps.java "$SMOLWF_LIBRARY") ;;
    *) echo "other: '$1' is none of lua, php, ruby, java" >&2 && exit 2 ;;
    esac
}

# Why a language cannot be played; nothing where it can.
lack() { # <language>
    local program=${steps[0]}
    command -v "$program" >/dev/null 2>&1 || { echo "$program is missing" && return; }
    case $1 in
    php) php -r 'exit(extension_loaded("FFI") ? 0 : 1);' || echo "php has no FFI" ;;
    ruby) ruby -e 'require "fiddle"' 2>/dev/null || echo "ruby has no fiddle" ;;
    java)
        command -v javac >/dev/null 2>&1 || { echo "java has no compiler" && return; }
        [ -e "$jna" ] || echo "$jna is missing"
        ;;
    esac
}

# Starts it, gives it two lines, and kills it once it has recorded both: it is in its third step then.
start_and_kill() { # <file of the store>
    local first second status=0
    coproc "${steps[@]}" "$1" 2>&1
    local process=$COPROC_PID lines=${COPROC[0]}
    printf 'three parts\nvier Bl\303\244tter\n' >&"${COPROC[1]}"
    read -r -t 60 first <&"$lines" && read -r -t 60 second <&"$lines" || true
    kill -9 "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || status=$?
    printf '%s\n' "${first-}" "${second-}"
    [ "$status" -eq 137 ] || echo "it ended with $status before it could be killed"
}

play() { # <file of the store>
    echo '$ steps, killed in its third step'
    start_and_kill "$1"
    echo '$ steps'
    echo 'two pages' | "${steps[@]}" "$1" 2>&1
    echo '$ steps'
    "${steps[@]}" "$1" </dev/null 2>&1
}

# Says what the library answers when it cannot do what it is asked.
refused() { # <folder>
    ! "${steps[@]}" "$1/no/such/folder/a.db" </dev/null >"$1/refused" 2>&1 || return 1
    grep -q 'SW_ERR_CANNOT_OPEN: .*/no/such/folder' "$1/refused" || { cat "$1/refused" && return 1; }
}

check() { # <what> <command...>
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
    fi
}

transcript() { # <folder>
    play "$1/steps.db" >"$1/printed" || true
    diff examples/expected/steps.txt "$1/printed"
}

# Each line of code in docs/FFI.md stands in one of the programs.
quoted() {
    local line status=0
    while IFS= read -r line; do
        grep -qxF -- "$line" examples/other/* && continue
        echo "docs/FFI.md shows what is in no program: $line"
        status=1
    done < <(awk '/^```(lua|php|ruby|java)$/ { shows = 1; next } /^```/ { shows = 0 } shows && NF' docs/FFI.md)
    return $status
}

if [ -z "${SMOLWF_LIBRARY:-}" ]; then
    "${CARGO:-cargo}" build --quiet --locked --lib
    SMOLWF_LIBRARY=$(realpath -m "${CARGO_TARGET_DIR:-target}")/debug/libsmolwf.so
fi
room=$(mktemp -d "${TMPDIR:-/tmp}/smolwf-other.XXXXXX")
trap 'rm -rf "$room"' EXIT
[ $# -gt 0 ] || set -- lua php ruby java
for language in "$@"; do
    command_of "$language"
    why=$(lack "$language")
    if [ -n "$why" ]; then
        skipped=$((skipped + 1))
        echo "skipped: other: $why"
        continue
    fi
    mkdir "$room/$language"
    check "$language prints examples/expected/steps.txt" transcript "$room/$language"
    check "$language tells of an error" refused "$room/$language"
done
check "docs/FFI.md shows what the programs do" quoted
echo "other: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ "${SW_REQUIRE_ALL:-}" != 1 ]; }
