# shellcheck shell=sh disable=SC2034
folder() {
    python3 -m venv .venv
    . .venv/bin/activate
    cp /gauntlet/programs/quickstart.py .
}
install='pip install smolwf'
build() { :; }
look() { python -m smolwf.demo && swctl quickstart.db ls; }
start() { python quickstart.py quickstart.db "$@"; }
