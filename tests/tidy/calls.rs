//! Every write says which function of the ABI it is for, by a name that the header has.

use super::{Source, library, names_after, read};

/// What no function does by itself: moving what has come due, and making safe what was read.
const NOBODYS: [&str; 2] = ["sweep", "sync"];

/// Calls whose writes `src/handles/again_tests.rs` makes without looking for their names: before its
/// store has counts, and after.
const AT_THE_ENDS: [&str; 3] = ["sw_store_init", "sw_store_migrate", "sw_store_close"];

fn handles() -> Vec<Source> {
    library().into_iter().filter(|source| source.path.starts_with("src/handles/")).collect()
}

/// Returns the names under which writes are counted.
fn calls(sources: &[Source]) -> Vec<String> {
    let text: String = sources.iter().map(Source::product).collect();
    let names = names_after(&text, "\"sw_").into_iter().map(|name| format!("sw_{name}"));
    names.chain(names_after(&text, "Call::of(\"")).collect()
}

/// Finds names of calls that are no exports.
fn unknown_calls(sources: &[Source], exports: &[&str]) -> Vec<String> {
    let is_unknown =
        |name: &String| !exports.contains(&name.as_str()) && !NOBODYS.contains(&name.as_str());
    calls(sources).into_iter().filter(is_unknown).collect()
}

#[test]
fn writes_are_counted_under_names_of_the_header() {
    let exports = read("tests/exports.txt").text;
    let exports: Vec<&str> = exports.lines().collect();
    assert_eq!(unknown_calls(&handles(), &exports), [""; 0]);
    let bad = Source::new("src/handles/a.rs", "Call::of(\"sw_run_submit\"), Call::of(\"submit\")");
    assert_eq!(unknown_calls(&[bad], &exports), ["submit"]);
}

#[test]
fn every_call_that_writes_is_run_twice_by_a_test() {
    let run_twice = read("src/handles/again_tests.rs").text;
    let missing: Vec<String> = calls(&handles())
        .into_iter()
        .filter(|name| !NOBODYS.contains(&name.as_str()) && !AT_THE_ENDS.contains(&name.as_str()))
        .filter(|name| !run_twice.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(missing, [""; 0]);
}
