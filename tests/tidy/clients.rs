//! What the library exports, the clients serve.

use super::{Source, assert_none, exports, files, has_word, read};

/// Exports that a client does without, each with its reason; none so far.
const UNSERVED: [(&str, &str, &str); 0] = [];

/// Returns the sources of each client, its tests left out.
fn clients() -> [(&'static str, Vec<Source>); 4] {
    let go = files(&["clients/go"], &[".go"]);
    [
        ("clients/python", files(&["clients/python/smolwf"], &[".py"])),
        ("clients/node", files(&["clients/node/src"], &[".ts"])),
        ("clients/go", go.into_iter().filter(|it| !it.path.ends_with("_test.go")).collect()),
        ("include/smolwf.hpp", vec![read("include/smolwf.hpp")]),
    ]
}

/// Finds exports that a client names nowhere. Node asks accessors by their last words.
fn unserved(client: &str, sources: &[Source], exports: &[String]) -> Vec<String> {
    let text: String = sources.iter().map(|source| source.text.as_str()).collect();
    let asks = |name: &str| {
        let (kind, verb) = name[3..].split_once('_').unwrap_or_default();
        text.contains(&format!("`sw_{kind}_${{what}}`")) && text.contains(&format!("\"{verb}\""))
    };
    let is_left = |name: &str| UNSERVED.iter().any(|(of, it, _)| *of == client && *it == name);
    let missing = exports.iter().filter(|it| !has_word(&text, it) && !asks(it) && !is_left(it));
    missing.map(|name| format!("{client} does not serve {name}")).collect()
}

#[test]
fn every_client_serves_every_export() {
    let sources = files(&["src/ffi"], &[".rs"]);
    let names: Vec<String> = sources.iter().flat_map(exports).map(|(_, name)| name).collect();
    assert!(names.len() > 40, "found {names:?} only");
    let faults = clients().map(|(client, sources)| unserved(client, &sources, &names));
    assert_none(&faults.concat());
}

#[test]
fn an_export_that_a_client_lacks_is_found() {
    let names = ["sw_run_fly".to_owned(), "sw_step_id".to_owned()];
    let find = |text: &str| unserved("a", &[Source::new("a/b.ts", text)], &names);
    assert_none(&find("later(\"sw_run_fly\"); ask(`sw_step_${what}`); ask(\"id\")"));
    assert_eq!(find("sw_run_fly_off(); sw_step_id()"), ["a does not serve sw_run_fly"]);
    assert_eq!(find("sw_run_fly(); ask(`sw_step_${what}`)"), ["a does not serve sw_step_id"]);
}
