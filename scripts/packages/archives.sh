#!/usr/bin/env bash
# Packs each triple of the stage into dist/smolwf-<version>-<triple>.tar.gz: what `make install` puts
# down, below one folder, whose files for pkg-config and CMake find the rest wherever it is unpacked.
#   scripts/packages/archives.sh, with TRIPLES, STAGE, DIST
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Folders in the pkg-config file are told from where it stands. No quotes: pkgconf masks blanks itself.
make_relocatable() { # <folder>
    # shellcheck disable=SC2016
    sed -i -e 's|"||g' -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' -e 's|^libdir=.*|libdir=${prefix}/lib|' \
        -e 's|^includedir=.*|includedir=${prefix}/include|' "$1/lib/pkgconfig/smolwf.pc"
}

archive() { # <triple>
    local name=smolwf-$version-$1
    [ -e "$stage/$1/lib/libsmolwf.so" ] || fail "$stage/$1 has no library: run scripts/packages/libraries.sh first"
    STAGED=$stage/$1 DESTDIR=$scratch PREFIX=/$name scripts/install.sh install >/dev/null
    make_relocatable "$scratch/$name"
    install -m 644 LICENSE* docs/INSTALL.md CHANGELOG.md "$stage/THIRD-PARTY.txt" "$scratch/$name"
    tar --create --directory "$scratch" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 \
        --numeric-owner --format=gnu "$name" | gzip --best --no-name >"$dist/$name.tar.gz"
    echo "archives: $dist/$name.tar.gz"
}

for triple in "${triples[@]}"; do archive "$triple"; done
