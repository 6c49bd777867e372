#!/usr/bin/env bash
# Builds all packages once more, from a clone of the last commit in another folder with a target folder
# of its own, and compares them with dist/ byte by byte. Long: all is compiled anew.
#   scripts/packages/twice.sh, with DIST
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

[ -z "$(git status --porcelain)" ] || fail "the tree has changes that are not committed, and the second build would lack them"
[ -e "$dist/SHA256SUMS" ] || fail "$dist/SHA256SUMS is not there: run \`make packages\` first"
git clone --quiet . "$scratch/clone"
DIST=$scratch/dist STAGE=$scratch/dist/stage CARGO_TARGET_DIR=$scratch/target \
    "${MAKE:-make}" --no-print-directory -C "$scratch/clone" packages
diff "$dist/SHA256SUMS" "$scratch/dist/SHA256SUMS" || fail "these differ, built from the same commit"
echo "twice: $(wc -l <"$dist/SHA256SUMS") files have the same bytes"
