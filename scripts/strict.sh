#!/usr/bin/env bash
# Says by its status whether a toolchain is one that this tree is held to, by
# requirements/toolchains.txt, and tells when it is not.
#   scripts/strict.sh <name> <version>
set -euo pipefail
known=$(sed -n "s/^$1 //p" "$(dirname "$0")/../requirements/toolchains.txt")
for version in $known; do
    case $2 in "$version" | "$version".*) exit 0 ;; esac
done
echo "told, not held against the tree: what $1 $2 finds; requirements/toolchains.txt has $1 $known"
exit 1
