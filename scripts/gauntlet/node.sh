# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
folder() {
    npm init -y >/dev/null
    cp /gauntlet/programs/quickstart.mjs .
}
install='npm install smolwf'
build() { :; }
look() { npx --no-install swctl quickstart.db ls; }
start() { node quickstart.mjs "$store" "$@"; }
on_server=yes
