# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
folder() {
    go mod init example.com/app
    cp /gauntlet/programs/main.go .
}
install='go get smolwf.internal/smolwf'
build() { # where the root has a compiler
    if command -v gcc >/dev/null; then go build -o quickstart .; else cp /opt/built/quickstart .; fi
}
look() { echo completed; }
start() { ./quickstart "$@"; }
