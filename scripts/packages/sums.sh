#!/usr/bin/env bash
# Closes dist/: the bill of materials (CycloneDX), the licences of what is inside, and SHA256SUMS of every
# file, for `sha256sum --check SHA256SUMS`.
#   scripts/packages/sums.sh, with STAGE, DIST
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

for file in "smolwf-$version.cdx.json" THIRD-PARTY.txt; do
    [ -e "$stage/$file" ] || fail "$stage/$file is not there: run scripts/packages/libraries.sh first"
    install -m 644 "$stage/$file" "$dist/$file"
done
cd "$dist"
find . -path ./stage -prune -o -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum >SHA256SUMS
echo "sums: $(wc -l <SHA256SUMS) files in $dist/SHA256SUMS"
