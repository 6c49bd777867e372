#!/usr/bin/env bash
# Checks the Go client: form, vet, tests with the race detector and with cgo's own checks.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

if ! command -v go >/dev/null || ! command -v pkg-config >/dev/null; then
    [ "${SW_REQUIRE_ALL:-}" != 1 ] || { echo "go or pkg-config is missing"; exit 1; }
    echo "skipped: go or pkg-config is missing"
    exit 0
fi

# The debug library under its soname, and a pkg-config file that leads to it.
"${CARGO:-cargo}" build --quiet --locked
built=${CARGO_TARGET_DIR:-$root/target}
room=$built/go
mkdir -p "$room"
ln -sf "$built/debug/libsmolwf.so" "$room/libsmolwf.so.0"
ln -sf libsmolwf.so.0 "$room/libsmolwf.so"
sed -e "s|@INCLUDEDIR@|$root/include|" -e "s|@LIBDIR@|$room|" -e "s|@PREFIX@|$room|" \
    -e "s|@VERSION@|0|" -e "s|@LIBS_PRIVATE@||" smolwf.pc.in > "$room/smolwf.pc"
export PKG_CONFIG_PATH=$room GOFLAGS=-mod=mod CGO_LDFLAGS="-Wl,-rpath,$room" LD_LIBRARY_PATH=$room

cd examples/go
go build -o "$room/shout" ./programs/shout
unformed=$(gofmt -l .)
[ -z "$unformed" ] || { echo "gofmt would change: $unformed"; exit 1; }
go vet ./...

# The test binary reads the files of the tree, and the library may be new: no cached answers.
count() { grep -c "^ *--- $1" "$room/log" || true; }
status=0
GOEXPERIMENT=cgocheck2 go test -count=1 -race -v ./... > "$room/log" 2>&1 || status=$?
if [ "$status" != 0 ]; then grep -vE '^ *(--- PASS|=== (RUN|PAUSE|CONT))' "$room/log" || true; fi
echo "go: $(count PASS) passed, $(count FAIL) failed"
exit "$status"
