//! The checks themselves: every part is run whatever fails, and the end says all that was found.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

#[path = "support/native.rs"]
mod native;

use native::{all_said, is_held_to, output, root};

/// Stands for make: says what a part says, which is all that the script knows of it. It is a file of the
/// tree: a program that was just written cannot be started while a fork of another test has it open.
fn make() -> PathBuf {
    root("tests/checks/make.sh")
}

/// Runs parts of the checks on that make.
fn check(parts: &[&str], is_all_required: bool) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut check = Command::new(root("scripts/check.sh"));
    check.args(parts).env("MAKE", make()).env("CARGO_TARGET_DIR", folder.path());
    check.env("SW_REQUIRE_ALL", if is_all_required { "1" } else { "0" });
    let output = output(&mut check);
    let said = all_said(&output);
    (output, said)
}

fn last_line(said: &str) -> &str {
    said.lines().last().unwrap_or_default()
}

#[test]
fn every_part_is_run_and_the_end_names_what_failed_and_what_was_skipped() {
    let (output, said) = check(&["lint", "test", "python", "go", "polyglot", "fine"], false);
    assert!(!output.status.success(), "{said}");
    let (_, end) = said.split_once("== the checks").expect("a sum at the end");
    for line in [
        "failed  lint ",
        "failed  test ",
        "failed  python ",
        "failed  go ",
        "passed  polyglot ",
        "passed  fine ",
        "    clippy",
        "    a_promise_is_kept",
        "    tests/test_store.py::test_a_store",
        "    TestWorker",
        "skipped: valgrind is not installed (2 times)",
        "skipped: polyglot: a compiler is missing",
        "SKIPPED [1] tests/test_store.py:9: no network",
    ] {
        assert!(end.lines().any(|found| found.starts_with(line)), "{line}:\n{end}");
    }
    assert_eq!(last_line(&said), "25 passed, 4 failed, 4 skipped");
}

#[test]
fn a_skip_is_a_failure_where_everything_is_required() {
    for (is_all_required, is_fine) in [(false, true), (true, false)] {
        let (output, said) = check(&["polyglot", "fine"], is_all_required);
        assert_eq!(output.status.success(), is_fine, "{said}");
        assert_eq!(last_line(&said), "10 passed, 0 failed, 1 skipped");
    }
}

#[test]
fn what_passes_is_counted_and_a_run_of_nothing_is_no_success() {
    let (output, said) = check(&["fine", "format"], true);
    assert!(output.status.success(), "{said}");
    assert_eq!(last_line(&said), "11 passed, 0 failed");
    let (output, said) = check(&[], false);
    assert!(!output.status.success(), "{said}");
}

/// Whether the process that a part waited for is there, and has not ended.
fn is_waited_for(said: &str) -> bool {
    let id = said.lines().find_map(|line| line.strip_prefix("waits for ")).expect("a process");
    let is_at_work = |stat: String| !stat.contains(") Z");
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(is_at_work)
}

fn comes_true(is_true: impl Fn() -> bool) -> bool {
    (0..1000).any(|_| {
        // Another process is looked at, and tells nobody.
        thread::sleep(Duration::from_millis(20));
        is_true()
    })
}

#[test]
fn a_part_that_does_not_end_is_ended_and_named_and_the_next_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut check = Command::new(root("scripts/check.sh"));
    check.args(["hangs", "fine"]).env("MAKE", make()).env("SW_PART_SECONDS", "1");
    let output = output(check.env("CARGO_TARGET_DIR", folder.path()));
    let said = all_said(&output);
    assert!(!output.status.success() && comes_true(|| !is_waited_for(&said)), "{said}");
    assert!(said.contains("\nfailed: no end in 1 s\n"), "{said}");
    assert_eq!(last_line(&said), "10 passed, 1 failed");
}

#[test]
fn checks_that_are_ended_leave_nothing_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("check/hangs.log");
    let mut check = Command::new(root("scripts/check.sh"));
    check.args(["hangs"]).env("MAKE", make()).env("CARGO_TARGET_DIR", folder.path());
    let mut checks = check.stdout(Stdio::null()).spawn().unwrap();
    let is_at_work = || fs::read_to_string(&log).is_ok_and(|said| said.ends_with('\n'));
    assert!(comes_true(is_at_work));
    let kill = format!("kill {}", checks.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(checks.wait().unwrap().code(), Some(130));
    let said = fs::read_to_string(&log).unwrap();
    assert!(comes_true(|| !is_waited_for(&said)), "{said}");
}

/// As when the checks are started by `make check &` in a script: an interrupt is ignored there, and
/// tests send one to programs that are to hear it.
#[test]
fn an_interrupt_is_heard_below_checks_that_were_started_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap '' INT QUIT; exec "$0" signals"#]).arg(root("scripts/check.sh"));
    let output = output(shell.env("MAKE", make()).env("CARGO_TARGET_DIR", folder.path()));
    let said = all_said(&output);
    let ignored = said.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 0b110, 0, "SIGINT is bit 1, SIGQUIT bit 2:\n{said}");
}

/// Asks the script, which the checks of Go and the lints ask, and holds the tests' own answer to it.
fn is_strict(name: &str, version: &str) -> bool {
    let mut strict = Command::new(root("scripts/strict.sh"));
    let output = output(strict.args([name, version]));
    let is_known = output.status.success();
    assert_eq!(all_said(&output).contains("told, not held against"), !is_known);
    assert_eq!(is_held_to(name, version), is_known, "{name} {version}");
    is_known
}

#[test]
fn a_toolchain_is_held_to_its_warnings_only_in_the_versions_that_are_listed() {
    let list = fs::read_to_string(root("requirements/toolchains.txt")).unwrap();
    let known: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(known.len() > 4, "{list}");
    for (name, version) in known.iter().filter_map(|line| line.split_once(' ')) {
        assert!(is_strict(name, version), "{name} {version}");
        assert!(is_strict(name, &format!("{version}.7")), "{name} {version}.7");
        for other in [format!("{version}9"), format!("9{version}"), "99".into()] {
            assert!(!is_strict(name, &other), "{name} {other}");
        }
    }
    assert!(!is_strict("cobol", "1"));
}

#[test]
fn c_and_cpp_of_another_form_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |file: &str| {
        let to = folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // By another process, for the same reason.
        assert!(Command::new("cp").arg(root(file)).arg(&to).status().unwrap().success());
    };
    let files = ["scripts/format.sh", "scripts/venv.sh", ".clang-format"];
    for file in files.into_iter().chain(["requirements/checks.txt", "requirements/build.txt"]) {
        copy(file);
    }
    let sources = ["include/smolwf.hpp", "examples/c/quickstart.c", "tests/c/support.h"];
    for file in sources.into_iter().chain(["clients/cpp/tests/worker.cpp"]) {
        copy(file);
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let check = || {
        let mut check = Command::new(folder.path().join("scripts/format.sh"));
        let output = output(check.arg("--check").env("CARGO_TARGET_DIR", target));
        (output.status.success(), all_said(&output))
    };
    let (is_fine, said) = check();
    if said.contains("skipped: ") {
        return native::skip(&format!("clang-format: {said}"));
    }
    assert!(is_fine, "{said}");
    fs::write(folder.path().join("tests/c/more.c"), "int  main(void){return 0;}\n").unwrap();
    let (is_fine, said) = check();
    assert!(!is_fine && said.contains("tests/c/more.c:1"), "{said}");
}
