#!/usr/bin/env bash
# Builds the README's program against an archive of dist/, unpacked where no build system expects it:
# in C and C++, by pkg-config and by CMake, from the shared and from the static library, for x86-64 with
# the compilers of this machine and for the others with zig. What this machine can run is run, killed
# and run again. Then the same from the Debian packages, unpacked.
#   scripts/packages/try.sh, with TRIPLES, DIST
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The musl that Rust is built for.
MUSL_MIN=1.2.5
passed=0 failed=0 skipped=0

check() { # <what> <command...>
    local what=$1
    shift
    if "$@" >"$scratch/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "try: failed: $what" >&2
        tail -n 20 "$scratch/log" >&2
    fi
}

skip() { # <reason>
    skipped=$((skipped + 1))
    echo "skipped: $1"
}

# Compilers and what runs their programs. RUN is empty where nothing of this machine can.
use_compilers() { # <triple>
    local glibc=/usr/aarch64-linux-gnu
    RUN=(env) UNWIND=
    case $1 in
    x86_64-linux-gnu) export CC=cc CXX=c++ && return ;;
    aarch64-linux-gnu) use_zig aarch64-linux-gnu.2.17 ;;
    x86_64-linux-musl) use_zig "x86_64-linux-musl -dynamic" ;;
    esac
    case $1 in
    aarch64-linux-gnu)
        RUN=(qemu-aarch64-static -L "$glibc")
        if ! command -v qemu-aarch64-static >/dev/null || [ ! -e $glibc/lib/libc.so.6 ]; then
            RUN=() && skip "aarch64 is linked and not run: qemu-user-static or libc6-arm64-cross is missing"
        fi
        ;;
    x86_64-linux-musl)
        has_musl || { RUN=() && skip "musl is linked and not run: musl is missing, or older than $MUSL_MIN"; }
        ;;
    esac
}

# Its loader tells the version to whoever calls it without a program.
has_musl() {
    local version
    version=$({ /lib/ld-musl-x86_64.so.1 2>&1 || true; } | sed -n 's/^Version //p')
    [ -n "$version" ] && [ "$(printf '%s\n' "$MUSL_MIN" "$version" | sort -V | head -n 1)" = "$MUSL_MIN" ]
}

# CMake wants a compiler to be one word.
use_zig() { # <target>
    local language
    for language in cc c++; do
        printf '#!/bin/sh\nexec "%s/python-zig" %s -target %s "$@"\n' "$zig" "$language" "$1" >"$scratch/$language"
        chmod +x "$scratch/$language"
    done
    export CC=$scratch/cc CXX=$scratch/c++ UNWIND=-lunwind
}

transcript() { # <program>
    cd "$(mktemp -d "$scratch/run.XXXXXX")"
    echo '$ quickstart crash'
    (ulimit -c 0 && "${RUN[@]}" "$1" crash) 2>/dev/null || true
    echo '$ quickstart'
    "${RUN[@]}" "$1"
    echo '$ quickstart'
    "${RUN[@]}" "$1"
}

runs() { # <program>
    [ "${#RUN[@]}" -gt 0 ] || return 0
    diff examples/expected/quickstart.txt <(transcript "$1" 2>&1)
}

by_pkg_config() { # <compiler and flags> <source> <shared or static>
    local flags asked=(--cflags --libs)
    [ "$3" = shared ] || asked+=(--static)
    eval "flags=($(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config "${asked[@]}" smolwf))"
    # The archive by its name: the linker takes the shared library where both are.
    [ "$3" = shared ] || flags=("${flags[@]/#-lsmolwf/$prefix/lib/libsmolwf.a}")
    # shellcheck disable=SC2086
    $1 "$2" -o "$scratch/program" "${flags[@]}" -Wl,-rpath,"$prefix/lib" ${UNWIND:-} && runs "$scratch/program"
}

by_cmake() { # <option>...
    local program
    rm -rf "$scratch/build"
    cmake -S tests/install/consumer -B "$scratch/build" -DCMAKE_EXE_LINKER_FLAGS="${UNWIND:-}" "$@" &&
        cmake --build "$scratch/build" || return 1
    for program in c_smolwf c_smolwf_static cpp_smolwf cpp_smolwf_static; do
        runs "$scratch/build/$program" || return 1
    done
}

try_archive() { # <triple>
    local linked
    prefix="$scratch/some folder/smolwf-$version-$1"
    mkdir -p "$scratch/some folder"
    tar -xzf "$dist/smolwf-$version-$1.tar.gz" -C "$scratch/some folder"
    use_compilers "$1"
    for linked in shared static; do
        check "$1: C, pkg-config, $linked" by_pkg_config "$CC -std=c99" examples/c/quickstart.c $linked
        check "$1: C++, pkg-config, $linked" by_pkg_config "$CXX -std=c++17" examples/cpp/quickstart.cpp $linked
    done
    check "$1: CMake, find_package" by_cmake "-Dsmolwf_DIR=$prefix/lib/cmake/smolwf"
    check "$1: CMake, FetchContent that takes the archive" by_cmake -DFROM_SOURCES=ON "-DSMOLWF_PREFIX=$prefix"
    check_tool "$1" "$prefix/bin/swctl"
}

check_tool() { # <triple> <swctl>
    if [ "${1%%-*}" != "$(uname -m)" ]; then
        command -v "qemu-${1%%-*}-static" >/dev/null || { skip "swctl of $1 is not run: qemu-user-static is missing" && return; }
        RUN=("qemu-${1%%-*}-static")
    fi
    check "$1: swctl tells its version" grep -qwF "$version" <("${RUN[@]}" "$2" version)
}

try_debs() {
    local package
    prefix=$scratch/root/usr
    for package in libsmolwf0 libsmolwf-dev smolwf-tool; do
        dpkg-deb -x "$dist/${package}_${version}_amd64.deb" "$scratch/root"
    done
    use_compilers x86_64-linux-gnu
    check "deb: CMake, find_package" by_cmake "-DCMAKE_PREFIX_PATH=$prefix"
    check_tool x86_64-linux-gnu "$prefix/bin/swctl"
}

zig=$(scripts/venv.sh packages)
for triple in "${triples[@]}"; do try_archive "$triple"; done
[[ " ${triples[*]} " != *" x86_64-linux-gnu "* ]] || try_debs
echo "try: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ "${SW_REQUIRE_ALL:-}" != 1 ]; }
