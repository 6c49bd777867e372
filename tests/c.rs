//! The C suites: builds each `tests/c/<topic>.c` against the committed header and the shared
//! library, runs it, and asks for exit code 0. A program ends with `N passed, N failed`.
//!
//! Each is built with AddressSanitizer and UndefinedBehaviorSanitizer, so that a leak or a stray
//! read is a failure too; some run a second time plain, and some under valgrind. A tool that is
//! missing is a printed skip, or a failure where `SW_REQUIRE_ALL=1` asks for everything.

#![allow(clippy::print_stdout, reason = "closing lines are told")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "support/misuse.rs"]
mod misuse;
#[path = "support/native.rs"]
mod native;
#[path = "support/schemas.rs"]
mod schemas;

use native::{has, link_library, said, sanitizers, skip, strict};

/// What each program is linked with.
const SUPPORT: [&str; 4] = ["support.c", "fixture.c", "reader.c", "documents.c"];

/// What those are linked with besides that go through every function of the header.
const OF_EVERY_FUNCTION: (&str, [&str; 2]) = ("table.c", ["misuse", "panic"]);

/// The programs, one a topic.
const TOPICS: &[&str] = &[
    "attempt",
    "backup",
    "budget",
    "carry",
    "child",
    "claim",
    "control",
    "document",
    "event",
    "explain",
    "graduate",
    "follow",
    "fork",
    "json",
    "lease",
    "list",
    "manual",
    "many",
    "misuse",
    "panic",
    "payload",
    "query",
    "queue",
    "refuse",
    "replay",
    "retention",
    "run",
    "schedule",
    "signal",
    "sql",
    "stats",
    "step",
    "step_failure",
    "store",
    "testing",
    "threads",
    "timeout",
    "version",
    "wait",
    "watch",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Sanitized,
    Plain,
    Valgrind,
}

#[test]
fn what_was_recorded_is_replayed_and_a_process_dies_where_it_was_asked_to() {
    run("replay", Flavour::Sanitized);
}

#[test]
fn what_a_crash_does_to_a_workflow_is_found_by_the_kit() {
    run("testing", Flavour::Sanitized);
}

#[test]
fn attempts_end_as_the_header_says() {
    run("attempt", Flavour::Sanitized);
}

#[test]
fn budgets_are_held() {
    run("budget", Flavour::Sanitized);
}

#[test]
fn stores_are_moved_with_their_runs() {
    run("graduate", Flavour::Sanitized);
}

#[test]
fn trees_are_carried_from_store_to_store() {
    run("carry", Flavour::Sanitized);
}

#[test]
fn large_payloads_are_stored_once() {
    run("payload", Flavour::Sanitized);
}

#[test]
fn what_has_ended_is_pruned() {
    run("retention", Flavour::Sanitized);
}

#[test]
fn stores_are_backed_up() {
    run("backup", Flavour::Sanitized);
}

#[test]
fn tables_of_the_host_are_asked_and_written() {
    run("sql", Flavour::Sanitized);
}

#[test]
fn queries_only_read() {
    run("query", Flavour::Sanitized);
}

#[test]
fn stores_are_looked_at_as_a_whole() {
    run("stats", Flavour::Sanitized);
}

#[test]
fn runs_that_do_not_move_are_explained() {
    run("explain", Flavour::Sanitized);
}

#[test]
fn claims_go_as_the_header_says() {
    run("claim", Flavour::Sanitized);
}

#[test]
fn runs_are_acted_on_from_outside() {
    run("control", Flavour::Sanitized);
}

#[test]
fn runs_and_changes_are_waited_for() {
    run("follow", Flavour::Sanitized);
}

#[test]
fn many_runs_are_submitted_and_claimed_at_once() {
    run("many", Flavour::Sanitized);
}

#[test]
fn queues_hold_their_limits() {
    run("queue", Flavour::Sanitized);
}

#[test]
fn watches_tell_event_loops_of_changes() {
    run("watch", Flavour::Sanitized);
}

#[test]
fn documents_have_the_keys_of_the_contract() {
    run("document", Flavour::Sanitized);
}

#[test]
fn examples_in_the_header_are_what_the_library_gives_and_takes() {
    run("manual", Flavour::Sanitized);
}

#[test]
fn events_are_numbered() {
    run("event", Flavour::Sanitized);
}

#[test]
fn forked_children_are_kept_apart() {
    run("fork", Flavour::Sanitized);
}

#[test]
fn children_are_submitted_and_awaited_as_the_header_says() {
    run("child", Flavour::Sanitized);
}

#[test]
fn messages_reach_their_runs_once_and_in_order() {
    run("signal", Flavour::Sanitized);
}

#[test]
fn runs_sleep_and_park_as_the_header_says() {
    run("wait", Flavour::Sanitized);
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
fn runs_are_listed_and_acted_on_by_what_they_are() {
    run("list", Flavour::Sanitized);
}

#[test]
fn whatever_is_wrong_with_a_call_is_a_code() {
    run("misuse", Flavour::Sanitized);
}

/// Panics are asked for, which the library does where faults are built in alone.
#[cfg(feature = "plant")]
#[test]
fn a_panic_in_any_function_is_a_code_and_nothing_else() {
    run("panic", Flavour::Sanitized);
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
fn schedules_fire_as_the_header_says() {
    run("schedule", Flavour::Sanitized);
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
fn texts_leave_nothing_behind_in_valgrind() {
    run("json", Flavour::Valgrind);
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
            SUPPORT.contains(&name.as_str())
                || name == OF_EVERY_FUNCTION.0
                || TOPICS.contains(&topic) && is_run,
            "tests/c/{name} is built by nobody"
        );
    }
}

/// Builds and runs one program in a folder of its own, which is removed with all it holds.
fn run(topic: &str, flavour: Flavour) {
    assert!(TOPICS.contains(&topic), "{topic} is not a topic");
    if flavour == Flavour::Valgrind && !has("valgrind") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the build");
    let program = build(topic, flavour, folder.path());
    let output = start(&program, flavour)
        .env("TMPDIR", folder.path())
        .env("SW_DOCUMENTS", folder.path().join("documents"))
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .expect("the program just built can be started");
    report(topic, &output);
    let held = schemas::hold(&folder.path().join("documents"));
    println!("{topic}.c: {held} documents have their shape");
}

fn report(topic: &str, output: &Output) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let closing = printed.lines().rev().find(|line| line.contains(" passed, "));
    for line in printed.lines().filter_map(|line| line.strip_prefix("skipped ")) {
        skip(&format!("{topic}.c: {line}"));
    }
    for line in printed.lines().filter_map(|line| line.strip_prefix("counted ")) {
        println!("{topic}.c: {line}");
    }
    println!("{topic}.c: {}", closing.unwrap_or("no closing line"));
    let is_fine = output.status.success() && closing.is_some_and(|it| it.ends_with(" 0 failed"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(is_fine, "{topic}.c ended with {}\n{printed}\n{errors}", output.status);
}

/// A call that answers with a document goes through the form that keeps it.
#[test]
fn every_call_that_answers_with_a_document_keeps_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = fs::read_to_string(root.join("include/smolwf.cdef")).expect("the cdef is there");
    let forms = fs::read_to_string(sources().join("documents.c")).expect("documents.c is there");
    let calls = header.split(';').filter(|call| call.contains("sw_text **out,"));
    let names = calls.filter_map(|call| call.split_once('(')?.0.split_whitespace().last());
    let no_documents = ["sw_json_quote", "sw_signal_await", "sw_child_await"];
    let left_out: Vec<_> = names
        .filter(|name| !no_documents.contains(name) && !forms.contains(&format!(", {name}, (")))
        .collect();
    assert_eq!(left_out, Vec::<&str>::new());
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

/// Compiles and links in two steps: scripts/sanitize.sh brings a runtime that is not the compiler's own.
fn build(topic: &str, flavour: Flavour, folder: &Path) -> PathBuf {
    let program = folder.join(topic);
    let compiler = compiler();
    let (watched, linked) = watch(flavour, &compiler);
    compile(topic, &watched, folder);
    let objects = fs::read_dir(folder).expect("a folder can be listed");
    let objects = objects.map(|entry| entry.expect("a folder can be listed").path());
    let mut command = Command::new(&compiler);
    command
        .args(["-pthread", "-o"])
        .arg(&program)
        .args(objects.filter(|path| path.extension().is_some_and(|it| it == "o")))
        .args(link_library(folder))
        .args(linked);
    said(&mut command);
    program
}

fn compile(topic: &str, watched: &[String], folder: &Path) {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiler = compiler();
    let (source, topics) = OF_EVERY_FUNCTION;
    let source = topics.contains(&topic).then(|| sources().join(source));
    if source.is_some() {
        let table = folder.join("function_table.h");
        fs::write(table, misuse::table()).expect("a file in a fresh folder");
    }
    let mut command = Command::new(&compiler);
    command
        .current_dir(folder)
        .args(["-std=c11", "-Wall", "-Wextra", "-g", "-O1", "-pthread", "-c"])
        .args(strict(&compiler))
        .args(watched)
        .arg("-I")
        .arg(&header)
        .arg("-I")
        .arg(folder)
        .arg(format!("-DSMOLWF_HEADER=\"{}\"", header.join("smolwf.h").display()))
        .arg(sources().join(format!("{topic}.c")))
        .args(SUPPORT.map(|name| sources().join(name)))
        .args(source)
        .args(rooms(topic));
    said(&mut command);
}

/// The flags of the sanitizers for the compiler, and for the linker: those of a library that is itself
/// watched, which scripts/sanitize.sh names, or the compiler's own for the program alone.
fn watch(flavour: Flavour, compiler: &str) -> (Vec<String>, Vec<String>) {
    let flags = |name| std::env::var(name).ok().map(|it| it.split(' ').map(String::from).collect());
    let whole = (flags("SMOLWF_SANITIZED_C"), flags("SMOLWF_SANITIZED_LINK"));
    if let (Some(compiled), Some(linked)) = whole {
        return (compiled, linked);
    }
    let own = if flavour == Flavour::Sanitized { sanitizers(compiler) } else { &[] };
    let own: Vec<String> = own.iter().map(|flag| (*flag).to_owned()).collect();
    (own.clone(), own)
}

/// The files in the folder named like the topic, if it has one: a topic too large for one file.
fn rooms(topic: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sources().join(topic)) else { return Vec::new() };
    entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("c")
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".into())
}
