# C, with the packages of Debian.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
folder() {
    cp /dist/*_"$(dpkg --print-architecture)".deb /gauntlet/programs/quickstart.c .
    install="apt-get install $(echo ./libsmolwf0_*.deb ./libsmolwf-dev_*.deb ./smolwf-tool_*.deb)"
}
build() { cc quickstart.c -o quickstart $(pkg-config --cflags --libs smolwf); }
look() { swctl quickstart.db ls; }
start() { ./quickstart "$@"; }
