#!/usr/bin/env bash
# Looks at the libraries and the tool of a triple, from outside, and fails on what would not run
# elsewhere: a newer glibc, a library that is not everywhere, names beside those of the C header, a
# stack that can be executed, folders of the machine that built it.
#   scripts/packages/gate.sh <triple>, with STAGE
set -euo pipefail
cd "$(dirname "$0")/../.."
TRIPLES=$1
. scripts/packages/settings.sh
GLIBC_MAX=2.17
shared=$stage/$1/lib/libsmolwf.so
static=$stage/$1/lib/libsmolwf.a
libpq=$stage/$1/lib/libsmolwf_pq.so
tool=$stage/$1/bin/swctl
faults=0

fault() { # <sentence>
    echo "gate: failed: $1" >&2
    faults=$((faults + 1))
}

# Says what is in the first list and not in the second.
beyond() { # <list> <list>
    comm -23 <(tr ' ' '\n' <<<"$1" | sort -u) <(tr ' ' '\n' <<<"$2" | sort -u) | paste -sd ' '
}

# Prints a column of the symbols whose line awk picks.
symbols() { # <file> <condition>
    readelf --wide --symbols "$1" 2>/dev/null | awk "\$1 ~ /^[0-9]+:\$/ && NF >= 8 && ($2) { print \$8 }"
}

promised() {
    grep -oE '\bsw_[a-z0-9_]+\(' include/smolwf.cdef | tr -d '(' | sort -u | paste -sd ' '
}

# What the library calls of libpq.
called() {
    sed -n 's/^    \(PQ[A-Za-z]*\): fn(.*/\1/p' src/storage/postgres/libpq.rs | sort -u | paste -sd ' '
}

check_exports() { # <file> <what it is> <names that it must show>
    local there
    there=$(symbols "$1" '$7 != "UND" && $5 != "LOCAL"' | sort -u | paste -sd ' ')
    [ -z "$(beyond "$there" "$3")" ] || fault "$2 shows $(beyond "$there" "$3")"
    [ -z "$(beyond "$3" "$there")" ] || fault "$2 lacks $(beyond "$3" "$there")"
}

check_needed() { # <triple> <file> <soname>
    local allowed='libc.so' needed
    [ "${1##*-}" = musl ] ||
        allowed='libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1'
    needed=$(readelf -d "$2" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | paste -sd ' ')
    [ -z "$(beyond "$needed" "$allowed")" ] || fault "$2 needs $(beyond "$needed" "$allowed")"
    readelf -d "$2" | grep -qF "soname: [$3]" || fault "$2 has another soname than $3"
}

# A name without a version, unless it may be missing, is one that the older glibc does not have.
check_floor() { # <file>
    local newest bare
    newest=$(symbols "$1" '$7 == "UND"' | sed -n 's/.*@GLIBC_//p' | sort -V | tail -n 1)
    [ "$(printf '%s\n' "$newest" "$GLIBC_MAX" | sort -V | tail -n 1)" = "$GLIBC_MAX" ] ||
        fault "$1 asks for glibc $newest, newer than $GLIBC_MAX"
    bare=$(symbols "$1" '$7 == "UND" && $5 == "GLOBAL" && $8 !~ /@/' | sort -u | paste -sd ' ')
    [ -z "$bare" ] || fault "$1 asks for what glibc $GLIBC_MAX does not have: $bare"
    echo "gate: $1 asks for glibc $newest"
}

check_memory() { # <file>
    local segments
    segments=$(readelf --wide --segments "$1")
    grep -q 'GNU_STACK .* RW ' <<<"$segments" || fault "the stack of $1 can be executed"
    ! grep -qE ' (RWE|WE) ' <<<"$segments" || fault "$1 has memory that can be written and executed"
    ! readelf -d "$1" | grep -q TEXTREL || fault "$1 changes its code when it is loaded"
    ! readelf --wide --sections "$1" | grep -qE ' \.(symtab|debug_)' || fault "$1 is not stripped"
}

check_tool() {
    ! readelf -d "$tool" | grep -q '(NEEDED)' || fault "$tool needs libraries"
    ! readelf --wide --segments "$tool" | grep -q INTERP || fault "$tool needs a loader"
}

check_machine() { # <file>
    local machine
    machine=$(readelf -h "$1" 2>/dev/null | sed -n 's/ *Machine: *//p' | head -n 1)
    case ${triples[0]%%-*}:$machine in
    x86_64:*X86-64 | aarch64:AArch64) ;;
    *) fault "$1 is for $machine" ;;
    esac
}

check_paths() { # <file>
    local folder
    for folder in "$PWD" "$target" "$HOME" "${CARGO_HOME:-$HOME/.cargo}" "${RUSTUP_HOME:-$HOME/.rustup}"; do
        ! grep -qF -- "$folder/" "$1" || fault "$1 names $folder"
    done
}

for file in "$shared" "$static" "$libpq" "$tool"; do
    [ -s "$file" ] || fail "$file is not there: run scripts/packages/libraries.sh first"
    check_machine "$file"
    check_paths "$file"
done
check_exports "$shared" "the shared library" "$(promised)"
check_exports "$static" "the static library" "$(promised)"
check_exports "$libpq" "libpq" "$(called)"
check_needed "$1" "$shared" libsmolwf.so.0
check_needed "$1" "$libpq" libsmolwf_pq.so
for file in "$shared" "$libpq"; do
    [ "${1##*-}" = musl ] || check_floor "$file"
    check_memory "$file"
done
check_memory "$tool"
check_tool
[ "$faults" -eq 0 ]
