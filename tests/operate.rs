//! What `docs/OPERATE.md` shows is so: its documents, its calls in C, its filters and its codes. What it
//! shows in Python is run by `clients/python/tests/test_operate.py`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

#[path = "support/native.rs"]
mod native;
#[path = "support/schemas.rs"]
mod schemas;

use native::{link_library, root, said, strict};

/// Something that the page shows, with the call that it named last before.
#[derive(Debug, PartialEq)]
struct Shown {
    call: String,
    text: String,
}

fn page(name: &str) -> String {
    fs::read_to_string(root("docs").join(name)).expect("the page is there")
}

/// Returns the blocks of JSON of a page, and what stands between backticks.
fn shown(page: &str) -> (Vec<Shown>, Vec<Shown>) {
    let (mut blocks, mut spans, mut call) = (Vec::new(), Vec::new(), String::new());
    for (at, part) in page.split("```").enumerate() {
        if let Some(text) = part.strip_prefix("json\n") {
            blocks.push(Shown { call: call.clone(), text: text.to_owned() });
        } else if at % 2 == 0 {
            for span in part.split('`').skip(1).step_by(2) {
                let name = span.split('(').next().unwrap_or_default();
                if name.starts_with("sw_") {
                    name.clone_into(&mut call);
                }
                spans.push(Shown { call: call.clone(), text: span.replace('\n', " ") });
            }
        }
    }
    (blocks, spans)
}

/// The shape that each call answers with, by `docs/DOCUMENTS.md`.
fn shapes() -> BTreeMap<String, String> {
    let page = page("DOCUMENTS.md");
    let answers = page.split("## What calls take").next().unwrap_or_default();
    let rows = answers.lines().filter(|line| line.starts_with("| [`"));
    let pairs = rows.flat_map(|row| {
        let words = |column: &str| -> Vec<String> {
            column.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let columns: Vec<_> = row.split(" | ").map(words).collect();
        let last = columns[0].len() - 1;
        let calls = columns[1].clone().into_iter().enumerate();
        calls.map(|(at, call)| (call, columns[0][at.min(last)].clone())).collect::<Vec<_>>()
    });
    pairs.collect()
}

#[test]
fn the_documents_are_parts_of_what_the_calls_answer() {
    let shapes = shapes();
    let (blocks, _) = shown(&page("OPERATE.md"));
    assert!(blocks.len() >= 8, "{blocks:?}");
    for Shown { call, text } in blocks {
        schemas::assert_part(&shapes[&call], &text);
    }
    let other = std::panic::catch_unwind(|| schemas::assert_part("queues", r#"[{"length":1}]"#));
    assert!(other.is_err(), "a key that no queue has");
}

#[test]
fn the_codes_are_those_of_the_shape() {
    let page = page("OPERATE.md");
    let (_, table) = page.split_once("| code | what to do |\n").expect("the table is there");
    let rows = table.lines().skip(1).map_while(|line| line.strip_prefix("| `"));
    let mut told: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    told.sort_unstable();
    let shape = schemas::all().remove("reason_code").expect("the shape is there");
    let mut codes: Vec<_> = shape["enum"].as_array().into_iter().flatten().collect();
    codes.sort_unstable_by_key(|code| code.as_str());
    assert_eq!(json!(told), json!(codes));
}

/// A program that makes each call that the page shows whole, and gives each filter to one that takes it.
fn program(spans: &[Shown]) -> String {
    let mut calls = Vec::new();
    for Shown { call, text } in spans {
        let filter = json!(text).to_string();
        if text.starts_with("sw_") && text.ends_with(')') {
            calls.push(text.clone());
        } else if text.starts_with('{') && call == "sw_event_wait" {
            calls.push(format!("{call}(store, 0, {filter}, SW_NTS, 0, 0, NULL, &text, &err)"));
        } else if text.starts_with('{') {
            calls.push(format!("sw_run_list(store, {filter}, SW_NTS, NULL, 0, 0, &text, &err)"));
        }
    }
    assert!(calls.len() >= 10, "{calls:?}");
    let mut source = String::from(
        "#include <smolwf.h>\n#include <stdio.h>\nint main(void) {\n\
         sw_error *err = NULL; sw_text *text = NULL; sw_store *store = NULL; int failed = 0;\n\
         char run_id[SW_ID_CAP]; uint32_t applied = 0;\n\
         failed |= sw_store_open_in_memory(NULL, &store, &err) < 0;\n\
         failed |= sw_store_init(store, &applied, &err) < 0;\n\
         failed |= sw_run_submit(store, \"w\", SW_NTS, NULL, 0, NULL, run_id, sizeof run_id, &err) < 0;\n",
    );
    for call in calls {
        let _ = writeln!(
            source,
            "if ({call} < 0) {{ printf(\"%s\\n\", sw_error_message(err)); failed = 1; }}\n\
             sw_text_free(text); text = NULL; sw_error_free(err); err = NULL;"
        );
    }
    source + "sw_store_close(store);\nreturn failed;\n}\n"
}

fn run(source: &str) -> std::process::Output {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, built) = (folder.path().join("shown.c"), folder.path().join("shown"));
    fs::write(&file, source).expect("a file");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-std=c11", "-Wall", "-Wextra"]).args(strict(&compiler)).arg("-I");
    command.arg(root("include")).arg(file).arg("-o").arg(&built).args(link_library(folder.path()));
    said(&mut command);
    native::output(Command::new(built).env_remove("LD_LIBRARY_PATH"))
}

#[test]
fn the_calls_and_filters_are_taken() {
    let (_, spans) = shown(&page("OPERATE.md"));
    let end = run(&program(&spans));
    assert!(end.status.success(), "{}", native::all_said(&end));
}

#[test]
fn a_filter_that_is_none_is_seen() {
    let (_, mut spans) = shown(&page("OPERATE.md"));
    let text = r#"{"customer":"acme"}"#.to_owned();
    spans.push(Shown { call: "sw_run_list".into(), text });
    let end = run(&program(&spans));
    assert!(native::all_said(&end).contains("customer") && !end.status.success());
}

#[test]
fn what_is_shown_is_told_apart() {
    let page = "`sw_a(b)`; `{\"c\":\n1}`\n```json\n[2]\n```\n`sw_d` or `e`\n```json\n[3]\n```\n";
    let (blocks, spans) = shown(page);
    let of = |call: &str, text: &str| Shown { call: call.into(), text: text.into() };
    assert_eq!(blocks, [of("sw_a", "[2]\n"), of("sw_d", "[3]\n")]);
    let expected =
        [of("sw_a", "sw_a(b)"), of("sw_a", "{\"c\": 1}"), of("sw_d", "sw_d"), of("sw_d", "e")];
    assert_eq!(spans, expected);
    assert_eq!(Value::from(shapes()["sw_event_wait"].clone()), "events_found");
}
