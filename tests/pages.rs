//! What the documents show in C and C++ is compiled and run by `scripts/pages.sh`, which says how a page is
//! written; what they show in Python, Node and Go is run so by the suites of those clients.

use std::path::Path;
use std::process::{Command, Output};

#[path = "support/native.rs"]
mod native;

use native::{all_said, has, output, root, shared_library};

fn pages(what: &str, pages: Option<&str>) -> Output {
    let mut command = Command::new(root("scripts/pages.sh"));
    command.arg(what).env("SMOLWF_LIBRARY", shared_library());
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages"));
    if let Some(pages) = pages {
        command.env("PAGES", pages);
    }
    output(&mut command)
}

#[track_caller]
fn assert_runs(what: &str) {
    let end = pages(what, None);
    assert!(end.status.success(), "{}", all_said(&end));
}

#[test]
fn what_the_pages_show_in_c_works() {
    if has("cc") && has("pkg-config") {
        assert_runs("c");
    }
}

#[test]
fn what_the_pages_show_in_cpp_works() {
    if has("c++") && has("pkg-config") {
        assert_runs("cpp");
    }
}

#[test]
fn what_the_pages_show_is_run_or_says_why_not() {
    assert_runs("check");
}

#[test]
fn a_block_that_nobody_runs_is_found() {
    let end = pages("check", Some("tests/pages/broken.md"));
    let said = all_said(&end);
    assert!(!end.status.success() && said.contains("neither run nor said why not"), "{said}");
}
