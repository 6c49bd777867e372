#!/usr/bin/env bash
# Compiles and runs what the documents show, each language's blocks where its tools are:
#   scripts/pages.sh check              every block is run by some language or says why not
#   scripts/pages.sh <language>...      python, node, go, c, cpp; SMOLWF_LIBRARY names the library
# A block is a whole program, run in an empty folder, which must end with status 0. A text block behind
# it has what it prints, all of it. A comment on the line before says otherwise:
#   <!-- frame: NAME -->     it stands in tests/pages/NAME.<extension>, where that says HERE
#   <!-- file: NAME -->      it is NAME, or the program NAME, for the console blocks below it
#   <!-- not run: WHY -->    it is counted as not run
# A console block is commands behind "$ ", with all that they print. Each language is also given
# tests/pages/broken.md, every block of which must fail. PAGES names other pages.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
frames=$root/tests/pages
export root target
pages=(README.md docs/GUIDE.md docs/C.md clients/*/README.md)
[ -z "${PAGES:-}" ] || read -ra pages <<<"$PAGES"

# ---- What each language does --------------------------------------------------------------------

declare -A extensions=([python]=py [node]="ts js" [go]=go [c]=c [cpp]=cpp)

prepare_python() {
    local bin
    bin=$(scripts/venv.sh)
    export PATH=$bin:$PATH PYTHONPATH=$root/clients/python PYTHONPYCACHEPREFIX=$target/python/pycache
}

# All at once: the compiler takes longer to begin than to do one.
prepare_node() {
    local source
    ln -sfn "$root/examples/node/node_modules" "$room/node_modules"
    echo '{"type": "module"}' >"$room/package.json"
    sed -e "s|\.\./\.\./clients|$root/clients|" -e "s|\"dist\"|\"$room/js\"|" -e "s|\"\*.ts\"|\"$room/*.ts\"|" \
        -e "s|\"rootDir\": \".\"|\"rootDir\": \"$room\", \"typeRoots\": [\"$room/node_modules/@types\"]|" \
        examples/node/tsconfig.json >"$room/tsconfig.json"
    [ -z "$(compgen -G "$room/*.ts")" ] ||
        clients/node/node_modules/.bin/tsc -p "$room" >"$room/tsc.log" 2>&1 || true
    for source in "$room"/*.ts; do
        [ ! -e "$source" ] || grep -A 20 "${source##*/}(" "$room/tsc.log" >"${source%.ts}.log" || true
    done
}

prepare_go() {
    export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly
    link_library
    sed "s|\.\./\.\./clients|$root/clients|" examples/go/go.mod >"$room/go.mod"
}

prepare_c() { link_library; }

# All in one program, each in a namespace of its own: most of the time goes to the code of the headers.
prepare_cpp() {
    local source id entries=
    link_library
    for source in "$room"/*.cpp; do grep '^#include' "$source" || true; done | sort -u >"$room/all.cc"
    cat >>"$room/all.cc" <<'CPP'
#include <string_view>
template <class Main> int begin(Main main, int argc, char **argv) {
    if constexpr (std::is_invocable_v<Main, int, char **>) return main(argc, argv);
    else return main();
}
CPP
    for source in "$room"/*.cpp; do
        id=$(basename "$source" .cpp)
        echo "namespace $id {"
        sed -e '/^#include/d' -e 's/^int main(/int own_main(/' -e '$s/}$/return 0; }/' "$source"
        echo "}"
        entries+="    if (std::string_view(argv[1]) == \"$id\") return begin($id::own_main, argc - 1, argv + 1);"$'\n'
    done >>"$room/all.cc"
    printf 'int main(int argc, char **argv) {\n%s    return 2;\n}\n' "$entries" >>"$room/all.cc"
    cpp "$room/all.cc" "$room/all" >"$room/all.log" 2>&1 || true
}

# Installed as a user has it: a folder with the library, which pkg-config leads to.
link_library() {
    ln -sfn "$(realpath "$SMOLWF_LIBRARY")" "$room/libsmolwf.so.0"
    ln -sfn libsmolwf.so.0 "$room/libsmolwf.so"
    sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
        -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in >"$room/smolwf.pc"
    export PKG_CONFIG_PATH=$room CGO_LDFLAGS="-Wl,-rpath,$room"
}

# Warnings are errors for a compiler that the tree is held to.
strict() { # <compiler>
    local name=gcc
    [[ $("$1" --version) != *clang* ]] || name=clang
    ! scripts/strict.sh "$name" "$("$1" -dumpversion)" >/dev/null || echo -Werror
}

# Each makes of <id>.<extension> the program <id>, which is a file that can be started.
start() { # <id> <command>
    printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$room/$1"
    chmod +x "$room/$1"
}

compile_py() { start "$1" "python $room/$1.py"; }

compile_ts() {
    [ ! -s "$room/$1.log" ] || return 1
    start "$1" "node $room/js/$1.js"
}

compile_js() {
    cp "$room/$1.js" "$room/$1.mjs"
    start "$1" "node $room/$1.mjs"
}

compile_go() {
    mkdir -p "$room/src/$1"
    cp "$room/$1.go" "$room/src/$1/main.go"
    (cd "$room/src/$1" && go vet . && go build -ldflags=-s -o "$room/$1" .)
}

compile_c() {
    # shellcheck disable=SC2046
    "${CC:-cc}" -std=gnu11 -Wall -Wextra -Wpedantic $(strict "${CC:-cc}") -pthread "$room/$1.c" -o "$room/$1" \
        $(pkg-config --cflags --libs smolwf) -Wl,-rpath,"$room"
}

cpp() { # <source> <program>
    # shellcheck disable=SC2046
    "${CXX:-c++}" -std=c++17 -O0 -Wall -Wextra -Wpedantic $(strict "${CXX:-c++}") -pthread "$1" -o "$2" \
        $(pkg-config --cflags --libs smolwf) -Wl,-rpath,"$room"
}

# Alone where not all compile, to see which does not.
compile_cpp() {
    if [ -e "$room/all" ]; then start "$1" "$room/all $1"; else cpp "$room/$1.cpp" "$room/$1"; fi
}

# ---- One block ----------------------------------------------------------------------------------

fail() { # <id>
    echo "FAILED: the block $1"
    sed 's/^/    /' "$room/$1.log"
    return 1
}

compile() { # <id> <extension>
    "compile_$2" "$1" >>"$room/$1.log" 2>&1
}

program() { # <id> <extension>
    compile "$1" "$2" || return 1
    mkdir -p "$room/in/$1"
    (cd "$room/in/$1" && timeout 60 "$room/$1" >"$room/$1.got" 2>"$room/$1.log") || {
        echo "ended with status $?, and printed:" >>"$room/$1.log"
        cat "$room/$1.got" >>"$room/$1.log"
        return 1
    }
    [ ! -e "$room/$1.want" ] || diff -u "$room/$1.want" "$room/$1.got" >"$room/$1.log"
}

file() { # <id> <extension> <name>
    mkdir -p "$room/in/${1%_*}"
    compile "$1" "$2" || return 1
    ln -sfn "$room/$1" "$room/in/${1%_*}/${3%.*}"
    cp "$room/$1.$2" "$room/in/${1%_*}/$3"
}

# What a shell says of a program that is killed is its own, and is not shown.
console() { # <id>
    local line
    cd "$room/in/${1%_*}"
    grep '^\$ ' "$room/$1.console" | while read -r line; do
        echo "$line"
        timeout 60 bash -c "${line#\$ }" 2>&1 </dev/null || true
    done >"$room/$1.got" 2>/dev/null
    diff -u "$room/$1.console" "$room/$1.got" >"$room/$1.log"
}

block() { # <kind> <id> <what the kind has>...
    case $1 in
        program | file | console) ("$@") || fail "$2" ;;
        fault) echo "FAILED: the block $2: $3"; return 1 ;;
    esac
}
export -f block program file console compile fail start strict cpp
for extension in py ts js go c cpp; do export -f "compile_$extension"; done

# ---- All of a language --------------------------------------------------------------------------

take_apart() { # <extensions> <page>...
    local page
    for page in "${@:2}"; do
        awk -v page="$page" -v room="${room:-}" -v frames="$frames" -v want="$1" -f scripts/pages.awk "$page"
    done
}

# Prints what failed: programs side by side, then what is done with them, in the order of the page.
run() { # <language> <page>...
    rm -rf "$room"
    mkdir -p "$room"
    take_apart "${extensions[$1]}" "${@:2}" >"$room/blocks"
    "prepare_$1" >&2
    each "$(nproc)" 'program|file'
    each 1 'console|fault'
}

each() { # <how many at once> <kinds>
    { grep -E "^($2)" "$room/blocks" || true; } |
        xargs -r -d '\n' -n 1 -P "$1" bash -c 'IFS=$'"'\t'"' read -ra of <<<"$1"; block "${of[@]}"' block || true
}

language() { # <language>
    local told blocks failed broken
    : "${SMOLWF_LIBRARY:?names the library that the blocks are run with}"
    export room=$target/pages/$1
    told=$(run "$1" "$frames/broken.md")
    broken=$(grep -cE '^(program|console|fault)' "$room/blocks" || true)
    if [ "$broken" -lt 3 ] || [ "$(grep -c '^FAILED' <<<"$told")" -ne "$broken" ]; then
        echo "FAILED: of the $broken blocks of $1 in tests/pages/broken.md each must fail:"
        echo "$told"
        return 1
    fi
    told=$(run "$1" "${pages[@]}")
    failed=$(grep -c '^FAILED' <<<"$told" || true)
    blocks=$(grep -cv '^left' "$room/blocks" || true)
    [ -z "$told" ] || echo "$told"
    echo "pages-$1: $((blocks - failed)) passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$blocks" -gt 0 ]
}

check() {
    local told
    told=$(take_apart "" "${pages[@]}")
    awk -F '\t' '/^fault/ { print "FAILED: the block " $2 ": " $3 }
        /^left/ { left++ } /^(program|console|file)/ { run++ }
        END { print "the pages show " run " blocks that are run, and " left + 0 " that say why they are not" }' <<<"$told"
    ! grep -q '^fault' <<<"$told"
}

status=0
for what in "$@"; do
    if [ "$what" = check ]; then check; else language "$what"; fi || status=1
done
exit "$status"
