//! How the suites build programs of other languages against the library, and which tools they ask.

#![allow(dead_code, unused_imports, reason = "each suite uses a part of it")]

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

#[path = "declared.rs"]
pub mod declared;
pub use declared::{Function, Struct, constants, functions, structs};

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SANITIZERS: [&str; 3] =
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"];

/// Returns whether a tool is there; one that is missing is a printed skip, or a failure where
/// `SW_REQUIRE_ALL=1` asks for everything.
pub fn has(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok_and(|it| it.status.success());
    if !is_there {
        skip(&format!("{tool} is not installed"));
    }
    is_there
}

/// Tells why something is not tested, past the test runner, which keeps what a passing test prints.
pub fn skip(reason: &str) {
    let is_all_required = std::env::var_os("SW_REQUIRE_ALL").is_some_and(|all| all == "1");
    assert!(!is_all_required, "everything is required, but {reason}");
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

const TOOLCHAINS: &str = include_str!("../../requirements/toolchains.txt");

/// Returns whether the tree is held to this version of a toolchain, by the list of those.
pub fn is_held_to(name: &str, version: &str) -> bool {
    let lines = TOOLCHAINS.lines().filter_map(|line| line.split_once(' '));
    let known = lines.filter(|(known, _)| *known == name).map(|(_, version)| version);
    known.into_iter().any(|known| {
        version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The flag that makes warnings errors, for a C or C++ compiler that the tree is held to.
pub fn strict(compiler: &str) -> Option<&'static str> {
    let about = |flag: &str| said(Command::new(compiler).arg(flag));
    let name = if about("--version").contains("clang") { "clang" } else { "gcc" };
    is_held_to(name, about("-dumpversion").trim()).then_some("-Werror")
}

/// Runs a command to its end and returns what it printed; fails with all it said when it failed.
pub fn said(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, all_said(&output));
    text(&output.stdout)
}

pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub fn all_said(output: &Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn root(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

/// Returns the files of a folder of the tree with an ending, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let listing = fs::read_dir(root(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = listing.map(|entry| entry.expect("a folder that can be listed").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == ending)).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no .{ending}");
    paths
}

/// Puts the library under both its names, for the linker and for the loader, into the folder, and
/// returns the flags that link with it there.
pub fn link_library(folder: &Path) -> Vec<OsString> {
    let library = shared_library();
    for name in ["libsmolwf.so", "libsmolwf.so.0"] {
        symlink(&library, folder.join(name)).expect("the library can be linked to");
    }
    vec![joined("-L", folder), "-lsmolwf".into(), joined("-Wl,-rpath,", folder)]
}

/// Returns where a program's store lies: a file of the folder, or, on the server that scripts/postgres.sh
/// has started, a schema of its own, in which the host's tables are, too.
pub fn store(folder: &Path) -> OsString {
    let Ok(server) = std::env::var("SW_POSTGRES_URL") else {
        return folder.join("store.db").into();
    };
    let name = folder.file_name().expect("a folder has a name").to_string_lossy();
    let letters = name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let schema = format!("sw_test_{letters}");
    format!("{server}&sw_schema={schema}&options=-csearch_path%3D{schema}").into()
}

/// Beside a server of scripts/postgres.sh, the one that SMOLWF_LIBRARY names, which opens URLs. Else the
/// newest one: cargo puts what it builds for tests into `deps`, and another one into the folder above only
/// when asked for the library itself.
pub fn shared_library() -> PathBuf {
    let on_server = std::env::var_os("SW_POSTGRES_URL").is_some();
    if let Some(named) = std::env::var_os("SMOLWF_LIBRARY").filter(|_| on_server) {
        return fs::canonicalize(named).expect("SMOLWF_LIBRARY names a library");
    }
    let this = std::env::current_exe().expect("a test knows its own file");
    let deps = this.parent().expect("a file is in a folder");
    let profile = deps.parent().expect("deps is in the profile's folder");
    let built_at = |path: &PathBuf| {
        let built = fs::metadata(path).and_then(|metadata| metadata.modified());
        built.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    [deps, profile]
        .map(|folder| folder.join("libsmolwf.so"))
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(built_at)
        .expect("cargo builds libsmolwf.so, a cdylib, before the tests")
}

pub fn joined(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}

/// The flags of the address and undefined behaviour sanitizers, or none where the compiler, or this
/// machine, does not have them.
pub fn sanitizers(compiler: &str) -> &'static [&'static str] {
    static WORK: OnceLock<bool> = OnceLock::new();
    if *WORK.get_or_init(|| do_sanitizers_work(compiler)) {
        return &SANITIZERS;
    }
    skip(&format!("{compiler} has no working address and undefined behaviour sanitizers"));
    &[]
}

fn do_sanitizers_work(compiler: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder for a trial build");
    let (source, program) = (folder.path().join("trial.c"), folder.path().join("trial"));
    fs::write(&source, "int main(void) { return 0; }\n").expect("a file in a fresh folder");
    let mut build = Command::new(compiler);
    let build = build.args(SANITIZERS).arg("-o").args([&program, &source]).output();
    build.is_ok_and(|output| output.status.success())
        && Command::new(&program).output().is_ok_and(|output| output.status.success())
}

/// The header without preprocessor, as the build makes it.
pub fn cdef() -> String {
    fs::read_to_string(concat!(env!("OUT_DIR"), "/smolwf.cdef")).expect("the build made it")
}

/// Takes comments and texts out of C or C++, so that only what is compiled is left.
pub fn code_of(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['/', '"']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_character = code.ends_with('\'') && rest.starts_with("\"'");
        let (end, skipped) = match rest.as_bytes() {
            _ if is_character => ("", 1),
            [b'/', b'*', ..] => ("*/", 2),
            [b'/', b'/', ..] => ("\n", 2),
            [b'"', ..] => ("\"", 1),
            _ => ("", 1),
        };
        let after = &rest[skipped..];
        rest = after.split_once(end).map_or("", |(_, after)| after);
        code.push(' ');
    }
    code + rest
}

/// Returns whether a name stands in code as a whole word.
pub fn has_word(code: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(name).any(|(at, _)| {
        !code[..at].ends_with(is_word) && !code[at + name.len()..].starts_with(is_word)
    })
}
