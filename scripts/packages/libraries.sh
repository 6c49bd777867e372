#!/usr/bin/env bash
# Builds the libraries and the tool for each triple into dist/stage/<triple>: lib/libsmolwf.so,
# lib/libsmolwf.a, lib/libsmolwf_pq.so (libpq with its OpenSSL) and bin/swctl, stripped; beside them what is inside and
# its licences. zig links them, for glibc 2.17 or for musl. The tool is linked
# whole to musl, libpq in it, so that one file runs on every Linux of its processor. Bytes depend on the sources, on
# requirements/packages.txt and on requirements/packages-rust.txt, not on the folder or the machine.
#   scripts/packages/libraries.sh, with TRIPLES, STAGE
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/packages/settings.sh

# The Rust that packages are built with, and its targets: installed by rustup where they are missing.
use_rust() { # <target of Rust>...
    local wanted
    wanted=$(cat requirements/packages-rust.txt)
    if [ "$(rustc --version | cut -d ' ' -f 2)" != "$wanted" ]; then
        export RUSTUP_TOOLCHAIN=$wanted
        rustup toolchain install --profile minimal "$wanted" ||
            fail "Rust $wanted, of requirements/packages-rust.txt, cannot be installed"
    fi
    rustup --quiet target add "$@" || fail "rustup cannot add the targets $*"
    sysroot=$(rustc --print sysroot)
    rust_tools=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
}

# Names of folders on this machine, and what stands for each in the binaries.
remapped() {
    local commit
    commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
    printf '%s\n' "$target=target" "$PWD=." "${CARGO_HOME:-$HOME/.cargo}=cargo" \
        "$sysroot/lib/rustlib/src/rust=/rustc/$commit"
}

# Flags of rustc, parted by the byte that cargo wants there.
rust_flags() { # <flag>...
    local pair flags
    flags=$(printf '%s\037' "$@")
    while read -r pair; do flags+="--remap-path-prefix=$pair"$'\037'; done < <(remapped)
    printf '%s' "${flags%$'\037'}"
}

zig_cargo() { # <arguments of cargo rustc>...
    CARGO_PROFILE_RELEASE_STRIP=symbols "$bin/cargo-zigbuild" rustc --release --locked --quiet "$@"
}

static_tools() {
    export LD="$rust_tools/rust-lld -flavor gnu" AR="$bin/python-zig ar"
    export OBJCOPY="env LD_LIBRARY_PATH=$sysroot/lib $rust_tools/rust-objcopy"
}

# A triple as Rust spells it, with the glibc that is the floor.
floor() { # <triple>
    local rust=${1/-linux/-unknown-linux}
    [ "${1##*-}" = musl ] || rust+=.2.17
    echo "$rust"
}

build_library() { # <triple>
    local rust=${1/-linux/-unknown-linux}
    local made=$target/packages/library/$rust/release
    CARGO_ENCODED_RUSTFLAGS=$(rust_flags -Ctarget-feature=-crt-static) zig_cargo --lib \
        --crate-type cdylib,staticlib --features postgres --target "$(floor "$1")" --target-dir "$target/packages/library"
    install -D -m 755 "$made/libsmolwf.so" "$stage/$1/lib/libsmolwf.so"
    scripts/static-library.sh "$made" "$stage/$1/lib/libsmolwf.a"
    chmod 644 "$stage/$1/lib/libsmolwf.a"
}

# Has what follows take the OpenSSL that is made for a triple.
use_openssl() { # <triple>
    OPENSSL_DIR=$(scripts/packages/openssl.sh "$1")
    export OPENSSL_DIR OPENSSL_NO_VENDOR=1 OPENSSL_STATIC=1
}

# Shows the functions of libpq that the library calls, and no other.
build_libpq() { # <triple>
    local rust=${1/-linux/-unknown-linux} functions
    local made=$target/packages/libpq
    use_openssl "$1"
    mapfile -t functions < <(sed -n 's/^    \(PQ[A-Za-z]*\): fn(.*/\1/p' src/storage/postgres/libpq.rs)
    CARGO_ENCODED_RUSTFLAGS=$(rust_flags -Ctarget-feature=-crt-static) zig_cargo --lib --crate-type staticlib \
        --manifest-path tools/libpq/Cargo.toml --target "$(floor "$1")" --target-dir "$made"
    printf '{ global: %s local: *; };\n' "$(printf '%s; ' "${functions[@]}")" >"$made/shown"
    "$bin/python-zig" cc -target "$(floor "$1" | sed 's/-unknown//')" -shared -s -o "$made/libsmolwf_pq.so" \
        "${functions[@]/#/-Wl,-u,}" -Wl,--version-script="$made/shown" -Wl,--gc-sections -Wl,-Bsymbolic -Wl,-z,relro,-z,now \
        -Wl,-soname,libsmolwf_pq.so "$made/$rust/release/libsmolwf_pq.a" -lpthread -ldl
    install -D -m 755 "$made/libsmolwf_pq.so" "$stage/$1/lib/libsmolwf_pq.so"
}

build_tool() { # <triple>
    local rust=${1%%-*}-unknown-linux-musl
    use_openssl "${1%%-*}-linux-musl"
    RUSTC_WRAPPER=$PWD/scripts/packages/rustc.sh \
        CARGO_ENCODED_RUSTFLAGS=$(rust_flags -Ctarget-feature=+crt-static) zig_cargo --bin swctl \
        --features libpq --manifest-path tools/swctl/Cargo.toml --target "$rust" --target-dir "$target/packages/tool"
    install -D -m 755 "$target/packages/tool/$rust/release/swctl" "$stage/$1/bin/swctl"
}

bin=$(scripts/venv.sh packages)
use_rust {x86_64,aarch64}-unknown-linux-{gnu,musl}
static_tools
export PATH=$bin:$PATH CARGO_ZIGBUILD_CACHE_DIR=$target/packages/zig ZIG_GLOBAL_CACHE_DIR=$target/packages/zig
"$bin/python" scripts/packages/inside.py "$stage" "$("$bin/python" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')"
for triple in "${triples[@]}"; do
    began=$SECONDS
    rm -rf "${stage:?}/$triple"
    build_library "$triple"
    build_libpq "$triple"
    build_tool "$triple"
    scripts/packages/gate.sh "$triple"
    echo "libraries: $triple is in $stage/$triple, built in $((SECONDS - began)) s"
done
