# What the scripts beside it agree on; each begins with `. scripts/packages/settings.sh`, from the
# root of the tree. The environment may name other values: DIST, STAGE, TRIPLES, SOURCE_DATE_EPOCH.
# shellcheck shell=bash

# shellcheck disable=SC2034
{
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    dist=$(realpath -m "${DIST:-dist}")
    stage=$(realpath -m "${STAGE:-$dist/stage}")
    target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
    read -ra triples <<<"${TRIPLES:-x86_64-linux-gnu aarch64-linux-gnu x86_64-linux-musl}"
}
# The time that all files in packages bear: that of the last commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C TZ=UTC
umask 022
mkdir -p "$dist"

fail() { # <sentence>
    echo "$(basename "$0" .sh): failed: $1" >&2
    exit 1
}

for triple in "${triples[@]}"; do
    case $triple in
    x86_64-linux-gnu | aarch64-linux-gnu | x86_64-linux-musl) ;;
    *) fail "TRIPLES has '$triple': there are x86_64-linux-gnu, aarch64-linux-gnu and x86_64-linux-musl" ;;
    esac
done
