#!/usr/bin/env bash
# Checks the Python client: formatting, lint, types, tests. Its tools go to target/python, at the
# versions that examples/python/requirements.txt pins. Without python3, venv or network it is a
# printed skip, or a failure where SW_REQUIRE_ALL=1 asks for everything.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
client=$repository/examples/python
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
room=$target/python
venv=$room/venv
export PYTHONPYCACHEPREFIX=$room/pycache

skip() {
    if [ "${SW_REQUIRE_ALL:-}" = 1 ]; then
        echo "python: $1" >&2
        exit 1
    fi
    echo "skipped: the Python client: $1"
    exit 0
}

# Makes the environment anew when a pin, or the Python, has changed.
install_tools() {
    local wanted
    wanted=$(python3 -V && cat "$client/requirements.txt")
    [ "$(cat "$room/installed" 2>/dev/null)" != "$wanted" ] || return 0
    rm -rf "$venv"
    mkdir -p "$room"
    python3 -m venv "$venv" >"$room/install.log" 2>&1 || skip "python3 has no venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$client/requirements.txt" \
        >>"$room/install.log" 2>&1 || skip "its tools could not be installed, see $room/install.log"
    printf '%s\n' "$wanted" >"$room/installed"
}

command -v python3 >/dev/null 2>&1 || skip "python3 is missing"
install_tools
if [ -z "${SMOLWF_LIBRARY:-}" ]; then
    cargo build --quiet --locked
    export SMOLWF_LIBRARY=$target/debug/libsmolwf.so
fi

cd "$client"
passed=0
failed=0
check() {
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
check "$venv/bin/ruff" format --quiet --check --diff --no-cache .
check "$venv/bin/ruff" check --quiet --no-cache --output-format concise .
check "$venv/bin/mypy" --no-error-summary --cache-dir "$room/mypy"
"$venv/bin/pytest" --quiet --junitxml "$room/tests.xml" "$@" || true
counts=$("$venv/bin/python" - "$room/tests.xml" "$passed" "$failed" <<'PYTHON'
import sys
from xml.etree import ElementTree

suite = ElementTree.parse(sys.argv[1]).getroot().find("testsuite").attrib
count = {name: int(suite[name]) for name in ("tests", "errors", "failures", "skipped")}
wrong = count["errors"] + count["failures"]
passed = int(sys.argv[2]) + count["tests"] - wrong - count["skipped"]
line = f"python: {passed} passed, {int(sys.argv[3]) + wrong} failed"
print(line + (f", {count['skipped']} skipped" if count["skipped"] else ""))
PYTHON
) || counts="python: $passed passed, $((failed + 1)) failed"
echo "$counts"
[[ $counts == *" 0 failed"* ]]
