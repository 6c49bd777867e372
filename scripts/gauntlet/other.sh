# LuaJIT, PHP and Ruby, in the versions of the root, with the tarball: the programs of examples/other.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
. /gauntlet/tarball.sh
folder() {
    take_tarball
    cp -r /gauntlet/tree/. .
}
build() { :; }
play() { SMOLWF_LIBRARY=$prefix/lib/libsmolwf.so.0 SW_REQUIRE_ALL=1 scripts/other.sh lua php ruby; }
look() { cat /said/play && echo completed; }
