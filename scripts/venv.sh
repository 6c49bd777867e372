#!/usr/bin/env bash
# Installs a lock of requirements/ below the target folder and prints the folder of its programs.
# Quick when all is there. Nothing is chosen here: versions, dependencies and hashes are the lock's.
# When it cannot be done it says why, in one line, and fails; PYTHON names another python3.
#   scripts/venv.sh [checks | <another lock>]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
name=${1:-checks}
lock=$name.txt
# Of the checks, the venv is the one that all suites in Python share.
room=$(realpath -m "${CARGO_TARGET_DIR:-target}")/$([ "$name" = checks ] && echo python || echo "venv-$name")
venv=$room/venv

fail() {
    echo "$1" >&2
    exit 1
}

install() { # <lock file> <options of pip...>
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --no-deps -r "requirements/$1" "${@:2}" >>"$room/install.log" 2>&1
}

# A Python newer than the lock has no wheel of cffi: it is built, by what is locked too.
install_all() {
    install "$lock" --only-binary :all: ||
        { install build.txt --only-binary :all: && install "$lock" --no-build-isolation; }
}

command -v "$python" >/dev/null 2>&1 || fail "$python is missing"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || fail "$python is older than 3.9"
mkdir -p "$room"
if command -v flock >/dev/null 2>&1; then
    exec 9>"$room/lock"
    flock 9
fi
wanted=$("$python" -V && echo "$venv" && cat "requirements/$lock")
if [ "$(cat "$room/installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv" "$room/installed"
    "$python" -m venv "$venv" >"$room/install.log" 2>&1 || fail "$python has no venv"
    install_all || fail "what requirements/$lock locks cannot be installed, see $room/install.log"
    printf '%s\n' "$wanted" >"$room/installed"
fi
echo "$venv/bin"
