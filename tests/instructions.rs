//! How many instructions hot calls of the release library take, counted by callgrind: without a clock, so
//! that it holds on a busy machine. `tests/instructions/hot.c` calls; `tests/instructions/known.txt` says what
//! is known. Who makes a call dearer, or much cheaper, says so there: SW_UPDATE_INSTRUCTIONS=1 writes it anew.

#![allow(clippy::print_stdout, reason = "what was counted is told")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/native.rs"]
mod native;

use native::{has, is_held_to, joined, root, said, skip};

/// In percent. One run differs from the next by one or two: a look at the file once a second, ids at random,
/// other instructions of another processor.
const MARGIN: f64 = 10.0;

/// Builds the release library, as `make build` does for whoever installs it.
fn library() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let mut build = Command::new("make");
    build.arg("-C").arg(root("")).arg("build").arg(concat!("CARGO=", env!("CARGO")));
    for inherited in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
        build.env_remove(inherited);
    }
    said(build.env("CARGO_TARGET_DIR", target));
    target.join("release/libsmolwf.so")
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".into())
}

/// Returns whether valgrind's header is there, which its package brings.
fn has_header() -> bool {
    let mut look = Command::new(compiler());
    look.args(["-include", "valgrind/callgrind.h", "-E", "-x", "c", "/dev/null"]);
    let is_there = look.output().is_ok_and(|it| it.status.success());
    if !is_there {
        skip("valgrind/callgrind.h is not installed");
    }
    is_there
}

/// Returns the instructions of one call of each kind.
fn counted(folder: &Path) -> BTreeMap<String, f64> {
    let program = folder.join("hot");
    // Not installed, so called by its path: a file that is on the disk and in the store's folder.
    fs::copy(library(), folder.join("libsmolwf.so.0")).expect("the library can be copied");
    said(
        Command::new(compiler())
            .args(["-std=gnu11", "-Wall", "-Wextra", "-O1"])
            .arg(joined("-I", &root("include")))
            .arg("-o")
            .arg(&program)
            .arg(root("tests/instructions/hot.c"))
            .arg(folder.join("libsmolwf.so.0"))
            .arg(joined("-Wl,-rpath,", folder)),
    );
    let calls = said(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
            .arg(joined("--callgrind-out-file=", &folder.join("counted")))
            .arg(&program)
            .arg(folder.join("a.db")),
    );
    let calls = numbers(&calls);
    let totals = (1..=calls.len()).map(|part| {
        let told = fs::read_to_string(folder.join(format!("counted.{part}")));
        let told = told.expect("callgrind writes a file for each kind of call");
        let after = |start: &str| told.lines().find_map(|line| line.strip_prefix(start));
        let name = after("desc: Trigger: Client Request: ").expect("which calls were counted");
        let total: f64 = after("totals: ").and_then(|it| it.parse().ok()).expect("a sum");
        (name.to_owned(), (total / calls[name]).round())
    });
    totals.collect()
}

/// Reads lines of a name and a number; those that begin with # are left out.
fn numbers(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = |line: &str| {
        let (name, number) = line.split_once(' ').expect("a name and a number");
        (name.to_owned(), number.parse().expect("a number"))
    };
    lines.map(line).collect()
}

/// Returns what is dearer than what is known by more than the margin.
fn dearer(known: &BTreeMap<String, f64>, counted: &BTreeMap<String, f64>) -> Vec<String> {
    let names: Vec<_> =
        known.keys().chain(counted.keys().filter(|it| !known.contains_key(*it))).collect();
    let dearer = names.into_iter().filter_map(|name| match (known.get(name), counted.get(name)) {
        (Some(known), Some(now)) => {
            let percent = (now / known - 1.0) * 100.0;
            (percent > MARGIN).then(|| format!("{name}: {now}, known is {known}, {percent:+.1} %"))
        }
        _ => Some(format!("{name}: is known or counted, not both")),
    });
    dearer.collect()
}

/// Returns why figures of this machine need not be those that are known.
fn other_toolchain() -> Option<String> {
    if !cfg!(target_arch = "x86_64") {
        return Some(std::env::consts::ARCH.to_owned());
    }
    let rustc = said(Command::new("rustc").arg("--version"));
    let glibc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let gcc = said(Command::new(compiler()).arg("-dumpversion"));
    let versions = [("rust", rustc), ("glibc", glibc), ("gcc", gcc)];
    let other = versions.iter().find(|(name, told)| {
        let version = told.split_whitespace().find(|word| word.starts_with(char::is_numeric));
        !version.is_some_and(|version| is_held_to(name, version))
    });
    other.map(|(name, told)| format!("{name} {}", told.trim()))
}

#[test]
fn a_hot_call_takes_no_more_instructions_than_it_is_known_to() {
    if !has("valgrind") || !has_header() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder of its own");
    let counted = counted(folder.path());
    let lines: String =
        counted.iter().map(|(name, instructions)| format!("{name} {instructions}\n")).collect();
    println!("{lines}");
    let path = root("tests/instructions/known.txt");
    let text = fs::read_to_string(&path).expect("what is known");
    if std::env::var_os("SW_UPDATE_INSTRUCTIONS").is_some() {
        let comments = text.lines().filter(|line| line.starts_with('#'));
        let comments: String = comments.map(|line| format!("{line}\n")).collect();
        fs::write(&path, comments + &lines).expect("what is known can be written");
        return;
    }
    let dearer = dearer(&numbers(&text), &counted).join("\n");
    if let Some(other) = other_toolchain() {
        println!(
            "told, not held, as {other} is not listed in requirements/toolchains.txt:\n{dearer}"
        );
        return;
    }
    assert!(dearer.is_empty(), "SW_UPDATE_INSTRUCTIONS=1 if it is meant:\n{dearer}");
}

#[test]
fn a_call_that_became_dearer_or_is_unknown_is_found() {
    let of = |text: &str| numbers(text);
    assert!(dearer(&of("a 100\nb 100"), &of("a 109\nb 50")).is_empty());
    assert_eq!(dearer(&of("a 100\nb 100"), &of("a 112\nb 100")).len(), 1);
    assert_eq!(dearer(&of("# c 1\na 1\nb 1"), &of("a 1\nc 1")).len(), 2);
}
