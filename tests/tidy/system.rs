//! Where the operating system is called.

use super::{Source, assert_none, code, is_word, library};

/// A port to another system is one folder; the layer of faults, of tests, stands in for one call.
fn misplaced_calls(sources: &[Source]) -> Vec<String> {
    let is_port = |path: &str| path.starts_with("src/os/") || path.ends_with("/sqlite/fault.rs");
    let calls = |line: &str| {
        let mut names = line.split("libc::").skip(1);
        names.any(|rest| rest.trim_start_matches(is_word).starts_with('('))
    };
    let find =
        |s: &Source| s.faults(&code(s.product()), "the system is called in src/os only", calls);
    sources.iter().filter(|s| !is_port(&s.path)).flat_map(find).collect()
}

#[test]
fn the_system_is_called_in_one_folder_only() {
    assert_none(&misplaced_calls(&library()));
}

#[test]
fn a_call_of_the_system_elsewhere_is_found() {
    let text = "fn f(x: libc::c_int) {\n    g(libc::EINVAL);\n    unsafe { libc::close(x) };\n}";
    let found = misplaced_calls(&[Source::new("src/process.rs", text)]);
    assert!(found.len() == 1 && found[0].contains(":3"), "{found:?}");
    assert_none(&misplaced_calls(&[Source::new("src/os/files.rs", text)]));
}
