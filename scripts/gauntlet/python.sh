# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
folder() {
    python3 -m venv .venv
    . .venv/bin/activate
    cp /gauntlet/programs/quickstart.py .
}
install='pip install smolwf'
build() { :; }
look() { python -m smolwf.demo && swctl quickstart.db ls; }
start() { python quickstart.py "$store" "$@"; }
on_server=yes
