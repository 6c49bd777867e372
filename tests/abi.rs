//! The gate before the ABI: today's header against the committed one and against the first header
//! there was, the library's own properties, and the parsers of other languages.
//!
//! Types are compared on a *stub library*: the header's declarations with empty bodies, in C. The
//! Rust library itself would not do, since its debug information has other names and fewer types;
//! `tests/header.rs` holds that both lie alike.
//!
//! `make header` renews `abi/smolwf.h` after additions; `make header BREAK=1` after any other change.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/native.rs"]
mod native;
#[path = "support/stub.rs"]
mod stub;

use native::{Function, has, link_library, root, said};
use stub::{COMMITTED, bare, change, difference, functions, stub};

/// Libraries that ours may need: those of the C library and of the compiler.
const NEEDED: [&str; 5] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2"];

fn committed_header() -> String {
    fs::read_to_string(root("include/smolwf.h")).unwrap()
}

fn committed_abi() -> String {
    fs::read_to_string(root(COMMITTED)).unwrap()
}

fn first_header() -> String {
    fs::read_to_string(root("tests/abi/first.h")).unwrap()
}

#[test]
fn the_abi_is_the_committed_one() {
    if !has("abidiff") {
        return;
    }
    let (committed, today) = (committed_abi(), committed_header());
    assert_eq!(change(&committed, &today), None, "see docs/STABILITY.md");
    assert_eq!(committed, bare(&today), "`make header` renews {COMMITTED} after additions");
}

/// Changes that a gate must see, each from one text of the header to another.
const CHANGES: [(&str, &str, &str); 11] = [
    ("a field's type", "uint32_t busy_timeout_ms;", "int32_t busy_timeout_ms;"),
    ("a field's width", "int64_t retry_after_ms;", "int32_t retry_after_ms;"),
    ("a field's name", "uint32_t max_readers;", "uint32_t readers;"),
    (
        "an inserted field",
        "  int64_t retry_after_ms;",
        "  int64_t more;\n  int64_t retry_after_ms;",
    ),
    ("a field's type and an appended field", "int64_t retry_after_ms;", "int32_t a;\n  int32_t b;"),
    ("a field taken away", "uint32_t busy_timeout_ms;", ""),
    ("a pointer's target", "uint32_t *out_applied", "uint64_t *out_applied"),
    ("a parameter's type", "uint32_t lease_ms, sw_error", "uint64_t lease_ms, sw_error"),
    ("what a function returns", "uint32_t sw_attempt_number", "uint64_t sw_attempt_number"),
    ("a constant's value", "#define SW_ERR_BUSY -40", "#define SW_ERR_BUSY -48"),
    ("a function taken away", "int32_t sw_abi_check(uint32_t header_abi);", ""),
];

#[test]
fn each_change_of_the_abi_is_seen() {
    if !has("abidiff") {
        return;
    }
    let header = committed_header();
    for (what, from, to) in CHANGES {
        assert!(header.contains(from), "{from} stands nowhere");
        assert!(change(&header, &header.replace(from, to)).is_some(), "{what} was not seen");
    }
}

#[test]
fn an_addition_is_no_change_and_is_seen_when_asked_for() {
    if !has("abidiff") {
        return;
    }
    let header = committed_header();
    let function = "int32_t sw_abi_check(";
    let added = header.replace(function, &format!("int32_t sw_more(void);\n{function}"));
    assert_eq!(change(&header, &added), None);
    let field = "int64_t retry_after_ms;";
    assert_eq!(change(&header, &header.replace(field, &format!("{field}\n  int64_t b;"))), None);
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let report = difference(&[], &stub(&header, &old), &stub(&added, &new));
    assert!(report.is_some_and(|report| report.contains("sw_more")));
}

// ---- Old programs -------------------------------------------------------------------------------

/// Fields that have another name since, in the same place.
const RENAMED: &[(&str, &str)] = &[("max_attempts", "max_tries")];

#[test]
fn the_first_header_is_a_part_of_todays() {
    if !has("abidiff") {
        return;
    }
    let first = RENAMED.iter().fold(first_header(), |header, (from, to)| header.replace(from, to));
    assert_eq!(change(&first, &committed_header()), None);
}

#[test]
fn a_program_built_with_the_first_header_runs_on_todays_library() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("smolwf.h"), first_header()).unwrap();
    // Beside the program, the address of every function that there was.
    let names: Vec<_> =
        functions(&folder.path().join("smolwf.h")).into_iter().map(|it| it.name).collect();
    let all = folder.path().join("all.c");
    let table: String = names.iter().map(|name| format!("(anything){name},\n")).collect();
    let table = format!(
        "#include <smolwf.h>\ntypedef void (*anything)(void);\nextern const anything all[];\n\
         const anything all[] = {{\n{table}}};\n"
    );
    fs::write(&all, table).unwrap();
    let program = folder.path().join("first");
    said(
        Command::new("gcc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Wno-cast-function-type"])
            .args(native::strict("gcc"))
            .arg("-I")
            .arg(folder.path())
            .args([&root("tests/abi/first.c"), &all])
            .arg("-o")
            .arg(&program)
            .args(link_library(folder.path())),
    );
    said(Command::new(program).env_remove("LD_LIBRARY_PATH"));
}

// ---- The library --------------------------------------------------------------------------------

#[test]
fn the_library_needs_no_library_but_those_of_every_system() {
    if !has("readelf") {
        return;
    }
    let section = said(Command::new("readelf").arg("-d").arg(native::shared_library()));
    let needed: Vec<_> = section
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let foreign: Vec<_> = needed.iter().filter(|name| !NEEDED.contains(name)).collect();
    assert_eq!(foreign, Vec::<&&str>::new());
    assert!(needed.contains(&"libc.so.6"), "{section}");
    assert!(!section.contains("TEXTREL"), "its code is written to when it is loaded:\n{section}");
    assert!(!section.contains("RPATH") && !section.contains("RUNPATH"), "{section}");
}

/// Printed, so that whoever packages knows on which systems the library loads; the newest name that
/// may be asked for is that of the oldest system served.
#[test]
fn the_newest_glibc_that_the_library_asks_for_is_told() {
    if !has("objdump") {
        return;
    }
    let symbols = said(Command::new("objdump").arg("-T").arg(native::shared_library()));
    let version = |word: &str| -> Option<(u32, u32)> {
        let (major, minor) =
            word.trim_matches(['(', ')']).strip_prefix("GLIBC_")?.split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    };
    let newest = symbols.split_whitespace().filter_map(version).max().expect("it uses glibc");
    writeln!(std::io::stderr(), "the library asks for glibc {}.{}", newest.0, newest.1).unwrap();
    let own = said(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    // A library asks for what the system has that it is built on: only there it can be judged.
    if native::is_held_to("glibc", own.trim().trim_start_matches("glibc ")) {
        assert!(newest <= (2, 36), "newer than what docs/STABILITY.md promises: {newest:?}");
    }
}

// ---- Parsers of other languages -----------------------------------------------------------------

/// Warning 451 is about setting a text of an option struct from another language, which then belongs
/// to that language.
#[test]
fn swig_reads_the_header_for_other_languages() {
    let Some(version) = swig_version() else { return };
    let folder = tempfile::tempdir().unwrap();
    let interface = folder.path().join("smolwf.i");
    let text =
        "%module smolwf\n%include <stdint.i>\n%{\n#include <smolwf.h>\n%}\n%include \"smolwf.h\"\n";
    fs::write(&interface, text).unwrap();
    for language in ["-python", "-java", "-csharp"] {
        said(
            Command::new("swig")
                .args([language, "-Wextra", "-w451"])
                .args(native::is_held_to("swig", version.trim()).then_some("-Werror"))
                .arg(native::joined("-I", &root("include")))
                .arg("-outdir")
                .arg(folder.path())
                .arg("-o")
                .arg(folder.path().join("wrap.c"))
                .arg(&interface),
        );
        let wrapper = fs::read_to_string(folder.path().join("wrap.c")).unwrap();
        for Function { name, .. } in native::functions(&native::cdef()) {
            assert!(wrapper.contains(&name), "swig {language} leaves out {name}");
        }
    }
}

/// Returns the version of SWIG, which has another way to say it than other tools.
fn swig_version() -> Option<String> {
    let Ok(output) = Command::new("swig").arg("-version").output() else {
        native::skip("swig is not installed");
        return None;
    };
    let said = native::all_said(&output);
    said.split("SWIG Version ").nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned)
}

const CFFI: &str = "
import sys
from cffi import FFI
ffi = FFI()
ffi.cdef(open(sys.argv[1]).read())
library = ffi.dlopen(sys.argv[2])
names = sys.argv[3:]
assert len(names) > 50
for name in names:
    getattr(library, name)
assert ffi.string(library.sw_code_name(library.SW_ERR_BUSY)) == b'SW_ERR_BUSY'
out = ffi.new('char[]', library.SW_ID_CAP)
assert library.sw_new_id(b'run', library.SW_NTS, out, library.SW_ID_CAP, ffi.NULL) == library.SW_OK
assert ffi.sizeof('sw_submit_options') > 100
assert library.SW_NTS == 2**64 - 1 and library.SW_LEASE_WHILE_ALIVE == 2**32 - 1
assert library.SW_ERR_WAL_LOST == -63
";

#[test]
fn cffi_reads_the_cdef_and_finds_every_function() {
    let Some(python) = python_with_cffi() else { return };
    let names = native::functions(&native::cdef()).into_iter().map(|it| it.name);
    said(
        Command::new(python)
            .args(["-c", CFFI])
            .arg(root("include/smolwf.cdef"))
            .arg(native::shared_library())
            .args(names),
    );
}

/// Nothing stands between the file and LuaJIT's reader, whose enums have 32 bits.
#[test]
fn luajit_reads_the_cdef_as_it_is_and_does_a_run() {
    let is_there = Command::new("luajit").arg("-v").output().is_ok_and(|it| it.status.success());
    if !is_there {
        return native::skip("luajit is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let printed = said(
        Command::new("luajit")
            .arg(root("tests/abi/run.lua"))
            .arg(root("include/smolwf.cdef"))
            .arg(native::shared_library())
            .arg(folder.path().join("a.db")),
    );
    assert_eq!(printed, "done\n");
}

/// Returns a Python that has cffi, the one that requirements/checks.txt locks.
fn python_with_cffi() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let mut venv = Command::new(root("scripts/venv.sh"));
    let output = native::output(venv.env("CARGO_TARGET_DIR", target));
    if output.status.success() {
        let folder = String::from_utf8_lossy(&output.stdout);
        return Some(Path::new(folder.trim()).join("python"));
    }
    native::skip(&format!("cffi: {}", native::all_said(&output).trim()));
    None
}
