//! Power loss and bad disks, from outside: the shared library as it is shipped runs under a layer that
//! stands between it and the C library (`tests/torture/layer.c`). Disks that a loss of power could leave
//! are rebuilt from what it recorded and judged by fresh processes; see `scripts/torture.sh`.

#![allow(clippy::print_stdout, reason = "what was counted is told")]

use std::process::{Command, Output};

#[path = "support/native.rs"]
mod native;

use native::{all_said, output, root, shared_library};

/// Seconds of a sweep, of a debug library. Whole sweeps are `make sweep`.
const SECONDS: &str = "20";
const SECONDS_OF_ONE_KIND: &str = "8";

/// What a cut leaves of that which was not synced; `tests/torture/disk.h` says more.
const SURVIVORS: [&str; 8] =
    ["nothing", "all", "random", "sectors", "pages", "but one", "sizes", "names"];

fn sweep(arguments: &[&str]) -> Command {
    let library = std::env::var_os("SMOLWF_LIBRARY");
    let library = library.unwrap_or_else(|| shared_library().into_os_string());
    let mut sweep = Command::new(root("scripts/torture.sh"));
    sweep.args(arguments).env("SMOLWF_LIBRARY", library);
    sweep
}

fn torture(arguments: &[&str]) -> (Output, String) {
    said_by(&mut sweep(arguments))
}

fn said_by(sweep: &mut Command) -> (Output, String) {
    let output = output(sweep);
    let said = all_said(&output);
    println!("{said}");
    (output, said)
}

/// Returns the number behind some words in what was said.
fn count(said: &str, before: &str) -> u64 {
    let (_, rest) = said.split_once(before).unwrap_or_else(|| panic!("no {before}: {said}"));
    let digits = rest
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .split(|c: char| !c.is_ascii_digit())
        .next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{before}: {said}"))
}

#[test]
fn no_cut_of_the_power_loses_what_was_acknowledged_or_leaves_it_half_done() {
    let (output, said) = torture(&["crash", SECONDS]);
    assert!(output.status.success(), "{said}");
    for survivors in SURVIVORS {
        assert!(count(&said, &format!(" {survivors} ")) > 0, "{survivors}: {said}");
    }
    assert!(count(&said, "facts ") > 0, "{said}");
}

fn assert_nothing_is_lost(what: &str, seconds: &str) {
    let (output, said) = torture(&[what, seconds]);
    assert!(output.status.success(), "{said}");
    assert!(count(&said, "errors injected ") > 0, "{said}");
}

#[test]
fn no_operation_that_fails_loses_anything_or_ends_otherwise_than_is_documented() {
    assert_nothing_is_lost("errors", SECONDS);
}

#[test]
fn no_sync_that_fails_loses_anything_when_the_power_goes_after_it() {
    assert_nothing_is_lost("syncs", SECONDS_OF_ONE_KIND);
}

#[test]
fn no_lack_of_memory_in_sqlite_loses_anything() {
    assert_nothing_is_lost("memory", SECONDS_OF_ONE_KIND);
}

#[test]
fn a_disk_that_lies_about_its_syncs_is_found() {
    let (output, said) = torture(&["lie", "2", "power"]);
    assert!(!output.status.success(), "{said}");
    assert!(count(&said, "bad ") > 0, "{said}");
    assert!(said.contains("again: "), "{said}");
}

/// Those faults of `src/plant.rs` that break a promise about the disk, with the work in which they show:
/// early answers are given to threads alone.
#[cfg(feature = "plant")]
#[test]
fn plants_against_durability_are_found_by_the_sweep() {
    for (plant, work) in
        [("skip_sync", "power"), ("answer_early", "threads"), ("keep_failed", "power")]
    {
        let (output, said) = said_by(sweep(&["crash", "10", work]).env("SW_PLANT", plant));
        assert!(!output.status.success() && count(&said, "bad ") > 0, "{plant}: {said}");
    }
}
