#!/usr/bin/env bash
# Makes the Debian packages of each triple of the stage that Debian has: libsmolwf0 (the shared library; libpq is Debian's own),
# libsmolwf-dev (headers, static library, files for pkg-config and CMake, schemas), smolwf-tool (swctl).
#   scripts/packages/deb.sh, with TRIPLES, STAGE, DIST
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh
GLIBC=2.17
MAINTAINER='smolwf authors <authors@smolwf.invalid>'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Takes files of the whole into a package.
take() { # <package> <path below the root>...
    local package=$1 path
    shift
    for path; do
        mkdir -p "$scratch/$package/$(dirname "$path")"
        mv "$scratch/whole/$path" "$scratch/$package/$path"
    done
}

# What Debian wants of every package: where it comes from, its licences, what changed.
document() { # <package>
    local folder=$scratch/$1/usr/share/doc/$1
    mkdir -p "$folder"
    {
        cat LICENSE && echo && cat LICENSE-MIT
        printf '\nOn Debian systems the Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0.\n'
        printf '\nTHIRD-PARTY.txt.gz beside this has the licences of what is inside.\n'
    } >"$folder/copyright"
    printf 'smolwf (%s) unstable; urgency=medium\n\n  * As CHANGELOG.md of the sources says.\n\n -- %s  %s\n' "$version" \
        "$MAINTAINER" "$(date --rfc-email --date "@$SOURCE_DATE_EPOCH")" | gzip --best --no-name >"$folder/changelog.gz"
    gzip --best --no-name <"$stage/THIRD-PARTY.txt" >"$folder/THIRD-PARTY.txt.gz"
}

control() { # <package> <architecture> <lines>
    local folder=$scratch/$1/DEBIAN size
    mkdir -p "$folder"
    size=$(find "$scratch/$1/usr" -type f -printf '%s\n' | awk '{ sum += $1 } END { print int((sum + 1023) / 1024) }')
    printf 'Package: %s\nSource: smolwf\nVersion: %s\nArchitecture: %s\nMaintainer: %s\nInstalled-Size: %s\nPriority: optional\n%s\n' \
        "$1" "$version" "$2" "$MAINTAINER" "$size" "$3" >"$folder/control"
    (cd "$scratch/$1" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$folder/md5sums"
}

pack() { # <package> <architecture> <lines of its control file>
    document "$1"
    control "$1" "$2" "$3"
    find "$scratch/$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --build "$scratch/$1" "$dist/${1}_${version}_$2.deb" >/dev/null
    echo "deb: $dist/${1}_${version}_$2.deb"
}

library() { # <folder of libraries> <architecture>
    take libsmolwf0 "$1/libsmolwf.so.$version" "$1/libsmolwf.so.0"
    chmod 644 "$scratch/libsmolwf0/$1/libsmolwf.so.$version"
    mkdir -p "$scratch/libsmolwf0/DEBIAN"
    echo "libsmolwf 0 libsmolwf0 (>= $version)" >"$scratch/libsmolwf0/DEBIAN/shlibs"
    echo 'activate-noawait ldconfig' >"$scratch/libsmolwf0/DEBIAN/triggers"
    pack libsmolwf0 "$2" "Section: libs
Multi-Arch: same
Depends: libc6 (>= $GLIBC)
Recommends: libpq5 (>= 14)
Description: durable workflows in one file: shared library
 Records what a program has finished, in one file, so that the next process
 goes on where a killed one stopped. There is no server: SQLite is built in."
}

development() { # <folder of libraries> <architecture>
    take libsmolwf-dev "$1/libsmolwf.so" "$1/libsmolwf.a" "$1/pkgconfig/smolwf.pc" "$1/cmake/smolwf" \
        usr/include usr/share/smolwf
    pack libsmolwf-dev "$2" "Section: libdevel
Multi-Arch: same
Depends: libsmolwf0 (= $version)
Description: durable workflows in one file: development files
 Headers for C and C++, the declarations for other languages, the static
 library, the shapes of documents, and files for pkg-config and CMake."
}

tool() { # <architecture>
    local overrides=$scratch/smolwf-tool/usr/share/lintian/overrides
    gzip --best --no-name "$scratch/whole/usr/share/man/man1/swctl.1"
    take smolwf-tool usr/bin/swctl usr/share/man/man1/swctl.1.gz usr/share/bash-completion/completions/swctl \
        usr/share/fish/vendor_completions.d/swctl.fish
    install -D -m 644 "$scratch/whole/usr/share/zsh/site-functions/_swctl" \
        "$scratch/smolwf-tool/usr/share/zsh/vendor-completions/_swctl"
    mkdir -p "$overrides"
    printf '# One file that can be copied to other machines.\nsmolwf-tool: statically-linked-binary\n' >"$overrides/smolwf-tool"
    pack smolwf-tool "$1" "Section: database
Description: durable workflows in one file: command-line tool
 swctl looks at a store of smolwf while workers work: what runs, what failed,
 why a run does not move. It acts on runs, makes backups, and shows the store
 on a terminal or in a browser."
}

debs() { # <triple> <architecture>
    local libraries=usr/lib/$1
    [ -e "$stage/$1/bin/swctl" ] || fail "$stage/$1 has no swctl: run scripts/packages/libraries.sh first"
    rm -rf "${scratch:?}"/*
    STAGED=$stage/$1 DESTDIR=$scratch/whole PREFIX=/usr LIBDIR=/$libraries scripts/install.sh install >/dev/null
    library "$libraries" "$2"
    development "$libraries" "$2"
    tool "$2"
}

command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing, of the package dpkg"
mkdir -p "$dist"
for triple in "${triples[@]}"; do
    case $triple in
    x86_64-linux-gnu) debs "$triple" amd64 ;;
    aarch64-linux-gnu) debs "$triple" arm64 ;;
    esac
done
