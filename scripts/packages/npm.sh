#!/usr/bin/env bash
# Makes the packages of npm: smolwf, which is the client and the command swctl, and one with the library and
# the program for each triple of the stage, which npm installs where it fits.
#   scripts/packages/npm.sh      STAGE, DIST, TRIPLES: see settings.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

# What follows @smolwf/, and how npm asks for it: the processor, the C library.
declare -A platforms=(
    [x86_64-linux-gnu]='linux-x64-gnu x64 glibc'
    [aarch64-linux-gnu]='linux-arm64-gnu arm64 glibc'
    [x86_64-linux-musl]='linux-x64-musl x64 musl'
)

# Compiles into a folder of its own: another check may be running what is in clients/node/dist.
compile() { # <folder>
    (
        cd clients/node
        [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --ignore-scripts
        node_modules/.bin/tsc --outDir "$1"
    )
}

pack() { # <folder>
    cp LICENSE LICENSE-MIT LICENSE-APACHE include/smolwf.cdef "$1"
    (cd "$1" && npm pack --silent --pack-destination "$dist" | sed "s|^|$dist/|")
}

pack_platform() { # <triple>
    local name cpu libc folder=$room/$1
    read -r name cpu libc <<<"${platforms[$1]}"
    mkdir "$folder"
    cp "$stage/$1/lib/libsmolwf.so" "$folder/libsmolwf.so.0"
    cp "$stage/$1/lib/libsmolwf_pq.so" "$folder"
    cp "$stage/$1/bin/swctl" "$folder"
    cp "$stage/THIRD-PARTY.txt" "$folder"
    cat >"$folder/package.json" <<JSON
{
  "name": "@smolwf/$name",
  "version": "$version",
  "description": "The library of smolwf and swctl for $name; smolwf, the package, installs it",
  "license": "MIT OR Apache-2.0",
  "os": ["linux"],
  "cpu": ["$cpu"],
  "libc": ["$libc"],
  "preferUnplugged": true
}
JSON
    pack "$folder"
}

pack_client() {
    mkdir -p "$room/client/dist"
    mv "$room/dist/src" "$room/client/dist"
    cp clients/node/README.md "$room/client"
    install -D -m 755 scripts/packages/swctl.js "$room/client/bin/swctl.js"
    node - "$version" "${platforms[@]%% *}" >"$room/client/package.json" <<'JS'
const [version, ...names] = process.argv.slice(2);
const own = JSON.parse(require("node:fs").readFileSync("clients/node/package.json", "utf8"));
const { name, private: _, scripts: _s, devDependencies: _d, ...rest } = own;
rest.files.push("bin");
rest.bin = { swctl: "bin/swctl.js" };
const optionalDependencies = Object.fromEntries(names.sort().map((it) => [`@smolwf/${it}`, version]));
console.log(JSON.stringify({ name, version, ...rest, optionalDependencies }, null, 2));
JS
    pack "$room/client"
}

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$dist"
for triple in "${triples[@]}"; do
    for part in "$triple/lib/libsmolwf.so" "$triple/bin/swctl" THIRD-PARTY.txt; do
        [ -e "$stage/$part" ] || fail "$stage/$part is missing"
    done
    pack_platform "$triple"
done
compile "$room/dist"
pack_client
