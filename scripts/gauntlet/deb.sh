# C, with the packages of Debian.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
folder() {
    debian=$(dpkg --print-architecture)
    cp /dist/libsmolwf*_"$debian".deb /dist/swctl_*_"$debian".deb .
    cp /gauntlet/programs/quickstart.c .
}
install='apt-get install -y ./libsmolwf*.deb ./swctl*.deb'
build() { cc quickstart.c -o quickstart $(pkg-config --cflags --libs smolwf); }
look() { swctl quickstart.db ls; }
start() { ./quickstart "$@"; }
