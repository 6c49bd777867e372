//! What sanitizers are told not to look at: each with its reason, and none that is no longer there.

use std::collections::BTreeSet;

use super::{Source, assert_none, files, names_after};

/// Finds blocks of lines that do not begin with a comment, which is their reason.
fn without_reason(source: &Source) -> Vec<String> {
    let mut is_told = false;
    let mut faults = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        is_told = line.starts_with("# ") || (is_told && !line.is_empty());
        if !is_told && !line.is_empty() {
            faults.push(source.fault(at, "is not watched, and nothing says why"));
        }
    }
    faults
}

/// Finds tests that are left out and that nobody has: `<sanitizer> <test>`.
fn unknown(source: &Source, tests: &BTreeSet<String>) -> Vec<String> {
    let lines = source.text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    let names = lines.filter_map(|(at, line)| Some((at, line.split_once(' ')?.1)));
    let gone = names.filter(|(_, name)| !tests.contains(name.rsplit("::").next().unwrap_or(name)));
    gone.map(|(at, name)| source.fault(at, &format!("no test is called {name}"))).collect()
}

#[test]
fn what_sanitizers_do_not_watch_has_its_reason_and_is_there() {
    let all = files(&["src", "tests"], &[".rs"]);
    let tests = all.iter().flat_map(|source| names_after(&source.text, "fn ")).collect();
    let lists = files(&["tests/sanitize"], &[".txt"]);
    assert_eq!(lists.len(), 2, "left-out.txt and thread.txt");
    for list in &lists {
        assert_none(&without_reason(list));
        if list.path.ends_with("left-out.txt") {
            assert_none(&unknown(list, &tests));
        }
    }
}

#[test]
fn a_line_without_a_reason_and_a_test_that_is_gone_are_found() {
    let list = Source::new("left-out.txt", "# Why.\nthread a::b\nthread gone\n\nthread b\n");
    assert_eq!(without_reason(&list), [list.fault(4, "is not watched, and nothing says why")]);
    let gone = unknown(&list, &BTreeSet::from(["b".to_owned()]));
    assert_eq!(gone, [list.fault(2, "no test is called gone")]);
}
