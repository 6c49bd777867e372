# C, with the tarball.
# shellcheck shell=sh disable=SC2034
. /gauntlet/tarball.sh
folder() {
    take_tarball
    cp /gauntlet/programs/quickstart.c .
}
build() {
    if command -v cc >/dev/null; then
        cc quickstart.c -o quickstart $(pkg-config --cflags --libs smolwf) "-Wl,-rpath,$prefix/lib"
    else
        cp /gauntlet/programs/quickstart-musl quickstart # built on a machine with a compiler
    fi
}
start() { LD_LIBRARY_PATH=$prefix/lib ./quickstart "$@"; }
look() { "$prefix/bin/swctl" quickstart.db ls; }
