#!/usr/bin/env bash
# Puts the built library, its headers and the files for pkg-config and CMake where the Makefile's
# variables say, or takes them away; swctl too, where `make tool` has made it. It copies what was made
# and builds nothing, so that it runs as root, without cargo. Relative folders are those of the caller's folder.
# STAGED names a folder of dist/stage, whose files are put down as they are, in place of what cargo built.
#   install.sh install|uninstall, with PREFIX BINDIR LIBDIR INCLUDEDIR DATADIR DESTDIR INSTALL BUILT BUILT_TOOL STAGED
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}

# Makes a folder absolute, and refuses what the files for other build systems cannot hold.
folder() { # <variable>
    local value=${!1}
    case $value in
    *[\"\\\$\;\#]* | *$'\n'*) fail "$1 is '$value': it may not contain any of \" \\ \$ ; # or a line's end" ;;
    '~'*) fail "$1 is '$value': write the folder out, the shell has not" ;;
    esac
    realpath -ms -- "$value"
}

INSTALL=${INSTALL:-install}
[ -z "${STAGED:-}" ] || BUILT=$STAGED/lib BUILT_TOOL=$STAGED/bin/swctl
prefix=$(folder PREFIX)
BINDIR=${BINDIR:-$prefix/bin} LIBDIR=${LIBDIR:-$prefix/lib}
INCLUDEDIR=${INCLUDEDIR:-$prefix/include} DATADIR=${DATADIR:-$prefix/share}
bindir=$(folder BINDIR)
libdir=$(folder LIBDIR)
includedir=$(folder INCLUDEDIR)
datadir=$(folder DATADIR)
stage=${DESTDIR:+$(folder DESTDIR)}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
abi=$(sed -n 's/^.define SW_ABI_VERSION \([0-9]*\).*/\1/p' include/smolwf.h)
cmake=$libdir/cmake/smolwf
# What rustc says a static libsmolwf.a needs beside libc (--print native-static-libs).
# The unwinder, libgcc_s or libgcc_eh, is what each C compiler links by itself.
libs_private='-lutil -lrt -lpthread -lm -ldl'

# Fills in what a file for another build system leaves open.
fill_in() { # <file>.in <file>
    local text
    text=$(cat "$1")
    text=${text//@PREFIX@/"$prefix"}
    text=${text//@LIBDIR@/"$libdir"}
    text=${text//@INCLUDEDIR@/"$includedir"}
    text=${text//@INCLUDEDIR_FROM_LIBDIR@/"$(realpath -ms --relative-to="$libdir" -- "$includedir")"}
    text=${text//@VERSION@/"$version"}
    text=${text//@ABI@/"$abi"}
    text=${text//@LIBS_PRIVATE@/"$libs_private"}
    printf '%s\n' "$text" >"$stage$2"
    chmod 644 "$stage$2"
}

# Refuses to install what is not built, or was built before its sources were changed.
check_built() {
    local library=$BUILT/libsmolwf.so
    [ -z "${STAGED:-}" ] || return 0
    [ -e "$library" ] && [ -e "$BUILT/libsmolwf.a" ] ||
        fail "$library is not built: run \`make build\` first"
    check_fresh "$library" "$BUILT/libsmolwf.d" 'make build'
    [ ! -e "$BUILT_TOOL" ] || check_fresh "$BUILT_TOOL" "$BUILT_TOOL.d" 'make tool'
}

# Cargo says in the .d file what a thing was made of, with a backslash before each space.
check_fresh() { # <built> <its .d file> <what builds it>
    local sources source
    # shellcheck disable=SC2162
    read -a sources <"$2"
    for source in "${sources[@]:1}"; do
        [ ! "$source" -nt "$1" ] || fail "$source is newer than $1: run \`$3\` first"
    done
}

# The tool, its manual, and what shells look for to complete its commands.
tool_files='man/swctl.1:man/man1/swctl.1
completions/swctl.bash:bash-completion/completions/swctl
completions/_swctl:zsh/site-functions/_swctl
completions/swctl.fish:fish/vendor_completions.d/swctl.fish'

put_tool() {
    local pair
    [ -e "$BUILT_TOOL" ] || return 0
    "$INSTALL" -d "$stage$bindir"
    "$INSTALL" -m 755 "$BUILT_TOOL" "$stage$bindir/swctl"
    for pair in $tool_files; do
        "$INSTALL" -d "$(dirname "$stage$datadir/${pair#*:}")"
        "$INSTALL" -m 644 "tools/swctl/${pair%%:*}" "$stage$datadir/${pair#*:}"
    done
}

put_libraries() {
    local real=$stage$libdir/libsmolwf.so.$version archive=$stage$libdir/libsmolwf.a
    if [ -n "${STAGED:-}" ]; then
        "$INSTALL" -m 755 "$BUILT/libsmolwf.so" "$real"
        "$INSTALL" -m 755 "$BUILT/libsmolwf_pq.so" "$stage$libdir"
        "$INSTALL" -m 644 "$BUILT/libsmolwf.a" "$archive"
    else
        "$INSTALL" -s -m 755 "$BUILT/libsmolwf.so" "$real"
        scripts/static-library.sh "$BUILT" "$archive"
        chmod 644 "$archive"
    fi
    ln -sf "libsmolwf.so.$version" "$stage$libdir/libsmolwf.so.$abi"
    ln -sf "libsmolwf.so.$abi" "$stage$libdir/libsmolwf.so"
}

put() {
    check_built
    "$INSTALL" -d "$stage$libdir/pkgconfig" "$stage$cmake" "$stage$includedir" "$stage$datadir/smolwf/schemas"
    put_libraries
    "$INSTALL" -m 644 include/smolwf.h include/smolwf.hpp include/smolwf_testing.h include/smolwf_worker.hpp \
        "$stage$includedir"
    "$INSTALL" -m 644 include/smolwf.cdef "$stage$datadir/smolwf"
    "$INSTALL" -m 644 docs/schemas/*.json "$stage$datadir/smolwf/schemas"
    fill_in smolwf.pc.in "$libdir/pkgconfig/smolwf.pc"
    fill_in cmake/smolwfConfig.cmake.in "$cmake/smolwfConfig.cmake"
    fill_in cmake/smolwfConfigVersion.cmake.in "$cmake/smolwfConfigVersion.cmake"
    put_tool
    echo "smolwf $version is installed in $stage$prefix"
}

take_away() {
    local pair
    rm -f "$stage$libdir/libsmolwf.so"{,".$abi",".$version"} "$stage$libdir/libsmolwf"{.a,_pq.so} \
        "$stage$libdir/pkgconfig/smolwf.pc" "$stage$cmake/"smolwfConfig{,Version}.cmake \
        "$stage$includedir/"{smolwf.h,smolwf.hpp,smolwf_testing.h,smolwf_worker.hpp} "$stage$datadir/smolwf/smolwf.cdef"
    (cd docs/schemas && printf '%s\0' *.json) | (cd "$stage$datadir/smolwf/schemas" 2>/dev/null && xargs -0 rm -f) || true
    rm -f "$stage$bindir/swctl"
    for pair in $tool_files; do rm -f "$stage$datadir/${pair#*:}"; done
    rmdir "$stage$datadir/smolwf/schemas" "$stage$datadir/smolwf" "$stage$cmake" 2>/dev/null || true
}

case $1 in
install) put ;;
uninstall) take_away ;;
esac
