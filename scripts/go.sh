#!/usr/bin/env bash
# Checks the Go client and the programs that use it: form, vet, tests with the race detector and with cgo's own checks.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# The module has no dependencies, and nothing is fetched: neither a module nor another Go.
export GOTOOLCHAIN=local GOPROXY=off

skip() {
    echo "skipped: the Go client: $1"
    [ "${SW_REQUIRE_ALL:-}" != 1 ]
    exit
}

command -v go >/dev/null || skip "go is missing"
command -v pkg-config >/dev/null || skip "pkg-config is missing"
version=$(go env GOVERSION)
version=${version#go}
wanted=$(sed -n 's/^go //p' clients/go/go.mod)
[ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ] ||
    skip "go $version is older than the $wanted of its go.mod"

# The debug library under its soname, and a pkg-config file that leads to it.
"${CARGO:-cargo}" build --quiet --locked
built=${CARGO_TARGET_DIR:-$root/target}
room=$built/go
mkdir -p "$room"
ln -sf "$built/debug/libsmolwf.so" "$room/libsmolwf.so.0"
ln -sf libsmolwf.so.0 "$room/libsmolwf.so"
sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
    -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in > "$room/smolwf.pc"
export PKG_CONFIG_PATH=$room GOFLAGS=-mod=readonly CGO_LDFLAGS="-Wl,-rpath,$room" LD_LIBRARY_PATH=$room

# The documents that the tests see are kept, and held to their shapes.
documents=$room/documents
rm -f "$documents"
kept=$(scripts/kept.sh build "$room/libsmolwf.so.0")
keep="env LD_PRELOAD=$kept SW_DOCUMENTS=$documents"

cd clients/go
status=0
programs=$root/examples/go
go build -C "$programs" -o "$room/shout" ./shout
unformed=$(gofmt -l . "$programs")
[ -z "$unformed" ] || echo "gofmt would change: $unformed"
if ! go vet ./... || ! go vet -C "$programs" ./... || [ -n "$unformed" ]; then
    ! ../../scripts/strict.sh go "$version" || status=1
fi

# The test binary reads the files of the tree, and the library may be new: no cached answers.
count() { grep -c "^ *--- $1" "$room/log" || true; }
GOEXPERIMENT=cgocheck2 go test -count=1 -race -parallel 8 -v -exec "$keep" ./... > "$room/log" 2>&1 || status=$?
../../scripts/kept.sh hold "$documents" || status=$?
SMOLWF_LIBRARY=$room/libsmolwf.so.0 ../../scripts/pages.sh go || status=$?
if [ "$status" != 0 ]; then grep -vE '^ *(--- PASS|=== (RUN|PAUSE|CONT))' "$room/log" || true; fi
grep '^not in go: ' "$room/log" || true
sed -n 's/^ *--- SKIP: \([^ ]*\).*/skipped: go: \1/p' "$room/log"
echo "go: $(count PASS) passed, $(count FAIL) failed, $(count SKIP) skipped"
exit "$status"
