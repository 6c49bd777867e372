#!/usr/bin/env bash
# Makes the Go module, with the library of each platform in it, as a tree that GOPROXY=file://... serves:
# dist/goproxy/<module>/@v/. In the module a file for each platform stands in place of link.go.
#   scripts/packages/go.sh      STAGE, DIST, TRIPLES: see settings.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

# Which programs are linked with the library of a triple.
declare -A constraints=(
    [x86_64-linux-gnu]='linux && amd64 && !musl'
    [aarch64-linux-gnu]='linux && arm64 && !musl'
    [x86_64-linux-musl]='linux && amd64 && musl'
)
served='linux/amd64 and linux/arm64 with glibc 2.17 or newer, linux/amd64 with musl 1.2.5 (go build -tags musl)'

link() { # <triple>
    local archive=libsmolwf_${1//-/_}.a
    cp "$stage/$1/lib/libsmolwf.a" "$room/$archive"
    cat >"$room/link_${1//-/_}.go" <<GO
//go:build ${constraints[$1]}

package smolwf

// #cgo CFLAGS: -I\${SRCDIR}
// #cgo LDFLAGS: \${SRCDIR}/$archive -lutil -lrt -lpthread -lm -ldl
import "C"
GO
}

refuse_others() {
    local each all=cgo
    for each in "${triples[@]}"; do all+=" && !(${constraints[$each]})"; done
    cat >"$room/unserved.go" <<GO
//go:build $all

package smolwf

// #error "smolwf has no library for this platform: it has those for $served. For others build it from the sources: see README.md"
import "C"
GO
}

pack() {
    python3 - "$room" "$module@v$version" "$proxy/v$version" "$SOURCE_DATE_EPOCH" <<'PYTHON'
import json
import sys
import time
import zipfile
from pathlib import Path

room, module, base, epoch = sys.argv[1:]
moment = time.gmtime(int(epoch))
with zipfile.ZipFile(f"{base}.zip", "w") as packed:
    for file in sorted(file for file in Path(room).rglob("*") if file.is_file()):
        entry = zipfile.ZipInfo(f"{module}/{file.relative_to(room).as_posix()}", moment[:6])
        entry.external_attr = 0o644 << 16
        packed.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
told = {"Version": Path(base).name, "Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)}
Path(f"{base}.info").write_text(json.dumps(told) + "\n")
PYTHON
    cp clients/go/go.mod "$proxy/v$version.mod"
    echo "v$version" >"$proxy/list"
}

for part in "${triples[@]/%//lib/libsmolwf.a}" THIRD-PARTY.txt; do
    [ -e "$stage/$part" ] || fail "$stage/$part is missing"
done
module=$(sed -n 's/^module //p' clients/go/go.mod)
proxy=$dist/goproxy/$module/@v
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$proxy" "$room/smolwftest"
for file in clients/go/{,smolwftest/}*.go; do
    case $file in *_test.go | */link.go) ;; *) cp "$file" "$room/${file#clients/go/}" ;; esac
done
cp clients/go/{go.mod,README.md} include/smolwf.h LICENSE LICENSE-MIT LICENSE-APACHE "$stage/THIRD-PARTY.txt" "$room"
for triple in "${triples[@]}"; do link "$triple"; done
refuse_others
pack
echo "$proxy/v$version.zip"
