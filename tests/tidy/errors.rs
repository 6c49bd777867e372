//! The errors that the library itself stores are told where users look for them.

use std::collections::BTreeSet;

use super::{Source, assert_none, library, names_after, read, unexplained};

/// Returns the kinds of errors that the library stores itself.
fn engine_errors(sources: &[Source]) -> BTreeSet<String> {
    let text: String =
        sources.iter().flat_map(|source| source.product().split_whitespace()).collect();
    let written = ["engine_error(\"", "EngineError{kind:\""];
    written.iter().flat_map(|before| names_after(&text, before)).collect()
}

#[test]
fn the_errors_that_the_library_stores_are_explained_in_the_header_and_the_documents() {
    let kinds = engine_errors(&library());
    assert!(kinds.len() > 4 && kinds.contains("cancelled"), "{kinds:?}");
    let page = names_after(&read("src/ffi/page.txt").text, "{\"$smolwf\":\"");
    assert_eq!(page.into_iter().collect::<BTreeSet<_>>(), kinds);
    let document = names_after(&read("docs/ERRORS.md").text, "\n| `\"");
    let document = document.into_iter().filter(|kind| !kind.is_empty());
    assert_eq!(document.collect::<BTreeSet<_>>(), kinds);
    let written = Source::new("src/domain/a.rs", "engine_error(\n    \"lost\", why)");
    assert_eq!(engine_errors(&[written]), BTreeSet::from(["lost".to_owned()]));
}

#[test]
fn the_page_of_errors_has_every_code() {
    let codes = names_after(&read("src/ffi/codes.rs").text, "pub const ");
    assert_none(&unexplained(&read("docs/ERRORS.md"), &codes));
}
