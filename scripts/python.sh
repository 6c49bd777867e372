#!/usr/bin/env bash
# Checks the Python client and the programs that use it: formatting, lint, types, tests. Its tools are those that
# requirements/checks.txt locks. Without python3, venv or network it is a printed skip, or a failure
# where SW_REQUIRE_ALL=1 asks for everything.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
client=$repository/clients/python
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
room=$target/python
export PYTHONPYCACHEPREFIX=$room/pycache

if ! bin=$(scripts/venv.sh 2>&1); then
    echo "skipped: the Python client: $bin"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
fi
if [ -z "${SMOLWF_LIBRARY:-}" ]; then
    "${CARGO:-cargo}" build --quiet --locked
    export SMOLWF_LIBRARY=$target/debug/libsmolwf.so
fi
# The documents that the tests see are kept, and held to their shapes.
documents=$room/documents
rm -f "$documents"
kept=$(scripts/kept.sh build "$SMOLWF_LIBRARY")
export SMOLWF_LIBRARY=$kept SW_DOCUMENTS=$documents

cd "$client"
passed=0
failed=0
check() {
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
sources=(. ../../scripts/documents.py ../../scripts/litestream.py ../../scripts/cluster.py ../../scripts/curves.py ../../benches/peers ../../scripts/pictures.py ../../scripts/gauntlet
    ../../scripts/torture ../../tests/torture_workers ../../examples/python ../../examples/polyglot)
check "$bin/ruff" format --config pyproject.toml --quiet --check --diff --no-cache "${sources[@]}"
check "$bin/ruff" check --config pyproject.toml --quiet --no-cache --output-format concise "${sources[@]}"
check "$bin/mypy" --no-error-summary --cache-dir "$room/mypy"
"$bin/pytest" --quiet --junitxml "$room/tests.xml" "$@" || true
check "$repository/scripts/kept.sh" hold "$documents"
check "$repository/scripts/pages.sh" python
counts=$("$bin/python" - "$room/tests.xml" "$passed" "$failed" <<'PYTHON'
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
