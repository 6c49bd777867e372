//! Every write says which function of the ABI it is for, by a name that the header has.

use super::{Source, library, names_after, read};

/// What no function does by itself: moving what has come due, and making safe what was read.
const NOBODYS: [&str; 2] = ["sweep", "sync"];

/// Finds names of calls that are no exports.
fn unknown_calls(sources: &[Source], exports: &[&str]) -> Vec<String> {
    let text: String = sources.iter().map(Source::product).collect();
    let names = names_after(&text, "\"sw_").into_iter().map(|name| format!("sw_{name}"));
    let names = names.chain(names_after(&text, "Call::of(\""));
    names.filter(|n| !exports.contains(&n.as_str()) && !NOBODYS.contains(&n.as_str())).collect()
}

#[test]
fn writes_are_counted_under_names_of_the_header() {
    let handles: Vec<Source> =
        library().into_iter().filter(|s| s.path.starts_with("src/handles/")).collect();
    let exports = read("tests/exports.txt").text;
    let exports: Vec<&str> = exports.lines().collect();
    assert_eq!(unknown_calls(&handles, &exports), [""; 0]);
    let bad = Source::new("src/handles/a.rs", "Call::of(\"sw_run_submit\"), Call::of(\"submit\")");
    assert_eq!(unknown_calls(&[bad], &exports), ["submit"]);
}
