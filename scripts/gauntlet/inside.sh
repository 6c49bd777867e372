#!/bin/sh
# Runs in a root of the gauntlet, without network: in an empty folder, what installs smolwf for a
# language, then a program that is killed in its midst, started again, and once more; the same at a store on
# the server that SERVER names, through the libpq of the packages, as the root has none. What it printed
# and how long each took stand in /said.
#   inside.sh <language>
set -eu

# Hundredths of a second since the machine was started.
now() { sed 's/ .*//; s/\.//' /proc/uptime; }

start_thrice() {
    for mode in crash '' ''; do
        echo "\$ quickstart${mode:+ $mode}"
        status=0
        start $mode 2>>/said/errors || status=$?
        [ "$status" = "${mode:+137}" ] || [ "$mode$status" = 0 ] || echo "it ended with $status"
    done
}
play() { # <store> <where what it prints stands>
    store=$1
    start_thrice >"/said/$2"
    cmp "/said/$2" /gauntlet/expected.txt
}

on_server=

. "/gauntlet/$1.sh"
mkdir -p "$HOME/app"
cd "$HOME/app"
folder >/said/folder 2>&1
printf '%s\n' "$install" >/said/commands
began=$(now)
eval "$install" >/said/install 2>&1
installed=$(now)
build >/said/build 2>&1
play quickstart.db printed >/said/play 2>&1
echo "$((installed - began)) $(($(now) - began))" >/said/took
look >/said/looked 2>&1
grep -q completed /said/looked
[ -z "$on_server" ] || [ -z "${SERVER:-}" ] || play "$SERVER" printed-on-server >>/said/play 2>&1
