#!/usr/bin/env bash
# Makes the root file systems of the gauntlet and prints the folder of one: bullseye and trixie, the
# oldest and the newest Debian that can be had; arm64, trixie for aarch64, under qemu; musl, a shell and
# the C library musl and nothing else. They have the compilers and interpreters that a user has, and
# nothing of smolwf. Made once, below the target folder. Needs root and network; a reason why it cannot
# be made is printed as the one line of an error.
#   scripts/gauntlet/roots.sh bullseye|trixie|arm64|musl
set -euo pipefail
cd "$(dirname "$0")/../.."
rooms=$(realpath -m "${CARGO_TARGET_DIR:-target}")/gauntlet/roots
# What a user of each language has. The languages of examples/other are there to be tried in other versions.
DEBIAN=ca-certificates,python3,python3-venv,gcc,g++,make,cmake,pkg-config,libc6-dev,luajit,php-cli,ruby,libatomic1
ARM64=ca-certificates,python3,python3-venv,gcc,pkg-config,libc6-dev,nodejs

fail() {
    echo "$1" >&2
    exit 1
}

# Lets the kernel start programs for aarch64 by qemu, in any root, until scripts/gauntlet.sh ends.
use_qemu() {
    local kinds=/proc/sys/fs/binfmt_misc
    [ -e $kinds/status ] || mount -t binfmt_misc none $kinds || fail "the kernel has no binfmt_misc"
    ! grep -qs '^interpreter .*qemu-aarch64' $kinds/* || return 0
    printf '%s' ':smolwf-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' \
        ':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' \
        ":$(command -v qemu-aarch64-static):F" >$kinds/register
}

debian() { # <suite> <packages> <option of debootstrap...>
    # In a namespace of its own, so that what it mounts ends with it.
    unshare --mount debootstrap --variant=minbase --include="$2" "${@:3}" "$1" "$room.making" >"$room.log" 2>&1 ||
        fail "debootstrap $1 failed, see $room.log"
}

# Of trixie: programs that are built for musl today crash with the musl of older ones.
musl() {
    local package trixie fetch='apt-get update -qq && cd /tmp && apt-get download -qq musl busybox-static'
    trixie=$(scripts/gauntlet/roots.sh trixie)
    mkdir -p "$room.making"/{usr/bin,usr/lib,tmp,root,proc,dev,etc}
    ln -s usr/bin usr/lib "$room.making"
    chroot "$trixie" /bin/sh -c "$fetch" >"$room.log" 2>&1 ||
        fail "the packages musl and busybox-static cannot be had, see $room.log"
    for package in "$trixie"/tmp/*.deb; do dpkg-deb -x "$package" "$room.making"; done
    # Debian's musl looks into folders of its own; elsewhere it looks where it was built to.
    rm -r "$trixie"/tmp/*.deb "$room.making"/etc/ld-musl*
    chroot "$room.making" /bin/busybox --install -s /bin
}

make_root() {
    [ "$(id -u)" -eq 0 ] || fail "it takes root"
    rm -rf "$room.making"
    case $name in
    bullseye | trixie) debian "$name" "$DEBIAN" ;;
    arm64) debian trixie "$ARM64" --arch=arm64 ;;
    musl) musl ;;
    esac
    mv "$room.making" "$room"
}

name=$1
case $name in
bullseye | trixie | arm64 | musl) room=$rooms/$name ;;
*) fail "'$name' is none of bullseye, trixie, arm64, musl" ;;
esac
mkdir -p "$rooms"
exec 9>"$room.lock"
flock 9
[ "$name" != arm64 ] || use_qemu
[ -d "$room" ] || make_root
echo "$room"
