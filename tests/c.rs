//! The C suites: builds each `tests/c/<topic>.c` against the committed header and the shared
//! library, runs it, and asks for exit code 0. A program ends with `N passed, N failed`.
//!
//! Each is built with AddressSanitizer and UndefinedBehaviorSanitizer, so that a leak or a stray
//! read is a failure too; some run a second time plain, and some under valgrind. A tool that is
//! missing is a printed skip, or a failure where `SW_REQUIRE_ALL=1` asks for everything.

#![allow(clippy::print_stdout, reason = "closing lines and skips are told")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

/// What each program is linked with.
const SUPPORT: [&str; 3] = ["support.c", "fixture.c", "reader.c"];

/// The programs, one a topic.
const TOPICS: [&str; 16] = [
    "attempt",
    "claim",
    "document",
    "fork",
    "json",
    "lease",
    "misuse",
    "misuse_text",
    "refuse",
    "run",
    "step",
    "step_failure",
    "store",
    "threads",
    "timeout",
    "version",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Sanitized,
    Plain,
    Valgrind,
}

#[test]
fn attempts_end_as_the_header_says() {
    run("attempt", Flavour::Sanitized);
}

#[test]
fn claims_go_as_the_header_says() {
    run("claim", Flavour::Sanitized);
}

#[test]
fn documents_have_the_keys_of_the_contract() {
    run("document", Flavour::Sanitized);
}

#[test]
fn forked_children_are_kept_apart() {
    run("fork", Flavour::Sanitized);
}

/// The sanitized build leaves out what its allocator does not survive: see `fork.c`.
#[test]
fn forked_children_are_kept_apart_from_busy_threads() {
    run("fork", Flavour::Plain);
}

#[test]
fn payloads_are_checked_and_kept() {
    run("json", Flavour::Sanitized);
}

#[test]
fn leases_lapse_and_are_taken_over() {
    run("lease", Flavour::Sanitized);
}

#[test]
fn misused_objects_and_outputs_are_codes() {
    run("misuse", Flavour::Sanitized);
}

#[test]
fn misused_texts_and_numbers_are_codes() {
    run("misuse_text", Flavour::Sanitized);
}

#[test]
fn files_that_are_no_stores_are_refused() {
    run("refuse", Flavour::Sanitized);
}

#[test]
fn runs_are_submitted_and_found() {
    run("run", Flavour::Sanitized);
}

#[test]
fn steps_are_memoised() {
    run("step", Flavour::Sanitized);
}

#[test]
fn failed_steps_back_off_and_end() {
    run("step_failure", Flavour::Sanitized);
}

#[test]
fn stores_open_migrate_and_close() {
    run("store", Flavour::Sanitized);
}

#[test]
fn threads_and_processes_share_the_work() {
    run("threads", Flavour::Sanitized);
}

/// Once more at full speed: a race that the sanitizers' own locks hide may show here.
#[test]
fn threads_and_processes_share_the_work_at_full_speed() {
    run("threads", Flavour::Plain);
}

#[test]
fn runs_time_out_as_the_header_says() {
    run("timeout", Flavour::Sanitized);
}

#[test]
fn versions_codes_and_ids_are_as_the_header_says() {
    run("version", Flavour::Sanitized);
}

#[test]
fn documents_leave_nothing_behind_in_valgrind() {
    run("document", Flavour::Valgrind);
}

#[test]
fn misused_texts_leave_nothing_behind_in_valgrind() {
    run("misuse_text", Flavour::Valgrind);
}

#[test]
fn every_c_file_is_support_or_a_topic_run_here() {
    let here = include_str!("c.rs");
    for entry in fs::read_dir(sources()).expect("tests/c is there") {
        let name = entry.expect("tests/c can be listed").file_name().into_string();
        let name = name.expect("C files have plain names");
        let Some(topic) = name.strip_suffix(".c") else { continue };
        let is_run = here.contains(&format!("run(\"{topic}\", Flavour::Sanitized)"));
        assert!(
            SUPPORT.contains(&name.as_str()) || TOPICS.contains(&topic) && is_run,
            "tests/c/{name} is built by nobody"
        );
    }
}

/// Builds and runs one program in a folder of its own, which is removed with all it holds.
fn run(topic: &str, flavour: Flavour) {
    assert!(TOPICS.contains(&topic), "{topic} is not a topic");
    if flavour == Flavour::Valgrind && !is_there("valgrind") {
        return skip("valgrind is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder for the build");
    let program = build(topic, flavour, folder.path());
    let output = start(&program, flavour)
        .env("TMPDIR", folder.path())
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the program just built can be started");
    report(topic, &output);
}

fn report(topic: &str, output: &Output) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let closing = printed.lines().rev().find(|line| line.contains(" passed, "));
    for line in printed.lines().filter(|line| line.starts_with("skipped ")) {
        println!("{topic}.c {line}");
    }
    println!("{topic}.c: {}", closing.unwrap_or("no closing line"));
    let is_fine = output.status.success() && closing.is_some_and(|it| it.ends_with(" 0 failed"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(is_fine, "{topic}.c ended with {}\n{printed}\n{errors}", output.status);
}

fn start(program: &Path, flavour: Flavour) -> Command {
    if flavour != Flavour::Valgrind {
        return Command::new(program);
    }
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args(["--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"])
        .arg(program);
    command
}

fn build(topic: &str, flavour: Flavour, folder: &Path) -> PathBuf {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let program = folder.join(topic);
    link_library(folder);
    let mut command = Command::new(compiler());
    command
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread"])
        .args(if flavour == Flavour::Sanitized { sanitizers() } else { &[] })
        .arg("-I")
        .arg(&header)
        .arg(format!("-DSMOLWF_HEADER=\"{}\"", header.join("smolwf.h").display()))
        .arg("-o")
        .arg(&program)
        .arg(sources().join(format!("{topic}.c")))
        .args(SUPPORT.map(|name| sources().join(name)))
        .args(rooms(topic))
        .arg("-L")
        .arg(folder)
        .arg("-lsmolwf")
        .arg(joined("-Wl,-rpath,", folder));
    let output = command.output().expect("the C compiler can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{topic}.c does not build:\n{errors}");
    program
}

/// The files in the folder named like the topic, if it has one: a topic too large for one file.
fn rooms(topic: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sources().join(topic)) else { return Vec::new() };
    entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
}

/// Puts the library under both its names, for the linker and for the loader, into the folder.
fn link_library(folder: &Path) {
    let library = shared_library();
    for name in ["libsmolwf.so", "libsmolwf.so.0"] {
        symlink(&library, folder.join(name)).expect("the library can be linked to");
    }
}

/// The newest one: cargo puts what it builds for tests into `deps`, and another one into the folder
/// above only when asked for the library itself.
fn shared_library() -> PathBuf {
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

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("c")
}

fn compiler() -> OsString {
    std::env::var_os("CC").unwrap_or_else(|| "cc".into())
}

const SANITIZERS: [&str; 3] =
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"];

/// The compiler's flags, or none where it, or this machine, does not have them.
fn sanitizers() -> &'static [&'static str] {
    static WORK: OnceLock<bool> = OnceLock::new();
    if *WORK.get_or_init(do_sanitizers_work) {
        return &SANITIZERS;
    }
    skip("the C compiler has no working address and undefined behaviour sanitizers");
    &[]
}

fn do_sanitizers_work() -> bool {
    let folder = tempfile::tempdir().expect("a folder for a trial build");
    let source = folder.path().join("trial.c");
    let program = folder.path().join("trial");
    fs::write(&source, "int main(void) { return 0; }\n").expect("a file in a fresh folder");
    let build =
        Command::new(compiler()).args(SANITIZERS).arg("-o").args([&program, &source]).output();
    let is_built = build.is_ok_and(|output| output.status.success());
    is_built && Command::new(&program).output().is_ok_and(|output| output.status.success())
}

fn is_there(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn skip(reason: &str) {
    let is_all_required = std::env::var_os("SW_REQUIRE_ALL").is_some_and(|all| all == "1");
    assert!(!is_all_required, "everything is required, but {reason}");
    println!("skipped: {reason}");
}

fn joined(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}
