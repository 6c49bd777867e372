# shellcheck shell=sh disable=SC2034
folder() {
    npm init -y >/dev/null
    cp /gauntlet/programs/quickstart.mjs .
}
install='npm install smolwf'
build() { :; }
look() { echo completed; }
start() { node quickstart.mjs quickstart.db "$@"; }
