//! Inputs that fuzzing kept (`scripts/fuzz.sh`): each is judged again, by the judge that it was found with.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

#[path = "../fuzz/judges/mod.rs"]
mod judges;
#[cfg(feature = "plant")]
#[path = "corpora/plants.rs"]
mod plants;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A corpus with fewer has lost some.
const INPUTS_MIN: usize = 20;

/// All of them together: what is kept is small.
const BYTES_MAX: usize = 1_000_000;

/// Returns the inputs of a judge by name, sorted.
fn corpus(judge: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(judge);
    let listing = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut inputs: Vec<(String, Vec<u8>)> = listing
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    inputs.sort();
    assert!(inputs.len() >= INPUTS_MIN, "{folder:?} has {} inputs", inputs.len());
    inputs
}

/// Judges a whole corpus; returns the names of the inputs that fail.
fn failing(name: &str) -> Vec<String> {
    let (judge, inputs) = (judges::named(name), corpus(name));
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| judge(input))).is_err();
    let failed = inputs.iter().filter(|(_, input)| fails(input)).map(|(name, _)| name.clone());
    let failed: Vec<String> = failed.collect();
    println!("{name}: {} of {} inputs fail", failed.len(), inputs.len());
    failed
}

fn none_fails(name: &str) {
    let failed = failing(name);
    assert!(failed.is_empty(), "fuzz/corpus/{name}: {failed:?}");
}

#[test]
fn each_kept_sequence_of_calls_answers_as_the_header_says() {
    none_fails("calls");
}

#[test]
fn each_kept_cron_expression_fires_as_a_second_reader_says() {
    none_fails("cron");
}

#[test]
fn each_kept_cursor_leads_nowhere_but_into_its_own_list() {
    none_fails("cursor");
}

#[test]
fn each_kept_file_is_answered_and_runs_nothing() {
    none_fails("file");
}

#[test]
fn each_kept_document_is_taken_whole_or_refused() {
    none_fails("import");
}

#[test]
fn each_kept_text_is_json_to_us_as_to_others() {
    none_fails("json");
}

#[test]
fn each_kept_script_is_done_whole_or_not_at_all() {
    none_fails("script");
}

/// Each judge has a test above, and a corpus without strangers beside it.
#[test]
fn every_judge_has_its_corpus() {
    let named = judges::ALL.map(|(name, _)| name);
    let here = include_str!("corpora.rs");
    let is_played = |name: &&str| here.contains(&format!("none_fails(\"{name}\")"));
    assert!(named.iter().all(is_played), "a judge whose corpus nobody plays");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let listing = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let mut folders: Vec<String> = listing.map(|it| it.into_string().unwrap()).collect();
    folders.sort();
    assert_eq!(folders, named);
    let len = |name| -> usize { corpus(name).iter().map(|(_, input)| input.len()).sum() };
    let lens = named.map(len);
    assert!(lens.iter().sum::<usize>() < BYTES_MAX, "{lens:?}");
}
