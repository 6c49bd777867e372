# C, with the tarball: the quickstart, and after it the other programs of examples/c with a transcript.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
. /gauntlet/tarball.sh
others='agent approval budget fanout transfer'
folder() {
    take_tarball
    cp /gauntlet/programs/*.c /gauntlet/programs/*.h .
}
compile() { # <program>
    if command -v cc >/dev/null; then
        cc -std=gnu11 -pthread "$1.c" -o "$1" $(pkg-config --cflags --libs smolwf)
    else
        cp "/opt/built/$1" .
    fi
}
build() { compile quickstart; }
start() { SMOLWF_STORE=$store LD_LIBRARY_PATH=$prefix/lib ./quickstart "$@"; }
on_server=yes
look() {
    "$prefix/bin/swctl" quickstart.db ls
    for program in $others; do
        compile "$program"
        LD_LIBRARY_PATH=$prefix/lib "./$program" "$program.db" >"$program.said"
        grep -v '^# ' "$program.said" | cmp - "/gauntlet/tree/examples/expected/$program.txt"
    done
}
