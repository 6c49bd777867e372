# What the rows share that begin with the tarball.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
if [ -e /lib/ld-musl-x86_64.so.1 ]; then triple=x86_64-linux-musl; else triple=$(uname -m)-linux-gnu; fi
take_tarball() { # into the folder, as a download does
    cp /dist/smolwf-*-"$triple".tar.gz .
    name=$(basename smolwf-*-"$triple".tar.gz .tar.gz)
    prefix=$PWD/$name
    install="tar -xzf $name.tar.gz
export PKG_CONFIG_PATH=\$PWD/$name/lib/pkgconfig"
}
