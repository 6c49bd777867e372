//! The published shapes of documents: that each is one, is told of, and sees what is wrong.

#![allow(clippy::print_stdout, reason = "a count is told")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use smolwf::domain::list::filter::Asked;
use smolwf::domain::port::QueueLimits;
use smolwf::domain::retention::Policy;
use smolwf::domain::schedule::Spec;
use smolwf::domain::{event, items};

#[path = "support/native.rs"]
mod native;
#[path = "support/schemas.rs"]
mod schemas;

use native::{all_said, has, output, root};
use schemas::{all, assert_shape};

#[test]
fn each_shape_is_json_schema_and_is_known_by_its_files_name() {
    for (name, shape) in all() {
        assert!(jsonschema::meta::is_valid(&shape), "{name}");
        assert_eq!(shape["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(shape["$id"], format!("urn:smolwf:schema:{name}"));
        assert!(shape["title"].is_string() && shape["description"].is_string(), "{name}");
    }
}

#[test]
fn each_member_of_a_shape_says_what_it_is() {
    for (name, shape) in all() {
        assert_said(&name, &shape);
    }
}

fn assert_said(at: &str, shape: &Value) {
    let members = shape.get("properties").and_then(Value::as_object);
    for (key, member) in members.into_iter().flatten() {
        assert!(member["description"].is_string(), "{at}.{key} has no description");
    }
    for (key, value) in shape.as_object().into_iter().flatten() {
        assert_said(&format!("{at}.{key}"), value);
    }
    for value in shape.as_array().into_iter().flatten() {
        assert_said(at, value);
    }
}

#[test]
fn each_shape_is_told_of_once() {
    let page = fs::read_to_string(root("docs/DOCUMENTS.md")).expect("the page is there");
    for name in all().keys() {
        let link = format!("[`{name}`](schemas/{name}.json)");
        assert_eq!(page.matches(&link).count(), 1, "{name} in docs/DOCUMENTS.md");
    }
    assert_eq!(page.matches("](schemas/").count(), all().len() + 1, "a shape that is none");
}

/// Whether a call's reader takes a key, by what it says of an object that has it.
type Takes = fn(&str) -> smolwf::error::Result<()>;

/// What calls take, and who reads it. Of an item of children, since that of a run is part of it.
const READERS: [(&str, &str, Takes); 6] = [
    ("run_filter", "{KEY}", |text| Asked::read(Some(text)).map(drop)),
    ("event_filter", "{KEY}", |text| event::Read::filter(text).map(drop)),
    ("queue_settings", "{KEY}", |text| QueueLimits::read(text).map(drop)),
    ("retention", "{KEY}", |text| Policy::read(Some(text)).map(drop)),
    ("schedule_spec", "{KEY}", |text| Spec::read(text).map(drop)),
    ("submit_item", "[{KEY}]", |text| items::children(text).map(drop)),
];

/// Every word of the rules, which read what calls take, and every key of a shape.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut left = vec![root("src/domain")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).expect("a folder of the tree");
            left.extend(entries.map(|entry| entry.expect("it can be listed").path()));
            continue;
        }
        let text = fs::read_to_string(path).expect("a source");
        let is_word = |part: &&str| part.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        words.extend(text.split('"').filter(is_word).map(str::to_owned));
    }
    for shape in all().values() {
        words.extend(shape["properties"].as_object().into_iter().flatten().map(|it| it.0.clone()));
    }
    words
}

#[test]
fn the_keys_that_calls_take_are_those_of_the_shapes() {
    let (words, shapes) = (words(), all());
    assert!(words.len() > 300, "{}", words.len());
    for (name, form, takes) in READERS {
        let is_taken = |word: &&String| {
            let text = form.replace("KEY", &format!("{}:null", json!(word)));
            !takes(&text).is_err_and(|error| error.to_string().contains("unknown key"))
        };
        let taken: Vec<&String> = words.iter().filter(is_taken).collect();
        let keys = shapes[name]["properties"].as_object().expect("it is an object");
        let keys: BTreeSet<&String> = keys.keys().collect();
        assert_eq!(taken, keys.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(shapes[name]["additionalProperties"], false, "{name}");
    }
}

const EVENT: &str =
    r#"{"seq":1,"run_id":"run_01m8h23bnzzhxnw5n502cvtf4t","type":"\"e","payload":null,"at_ms":5}"#;

/// What a client's suite saw, as `scripts/kept.sh` asks; a sample where it does not.
#[test]
fn what_was_kept_has_its_shape() {
    if let Some(kept) = env::var_os("SW_DOCUMENTS") {
        let held = schemas::hold(Path::new(&kept));
        assert!(held > 0, "nothing was kept");
        return println!("{held} documents have their shape");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept");
    let hold = |text: &str| {
        fs::write(&kept, text).expect("a file");
        catch_unwind(|| schemas::hold(&kept)).ok()
    };
    let good = "\nmigrations\t[]\t.\ncheck\t{\"ok\":true,\"faults\":[]}\t.";
    assert_eq!(hold(good), Some(2));
    let wide = format!("\nevent\t{EVENT}\t.").replace("null", "[1e999, -1e999, 9, \"1e999\"]");
    assert_eq!(hold(&wide), Some(1));
    assert_eq!(hold(&format!("{good}\ncheck\t{{\"ok\":tr\nmigrations\t[]\t.")), Some(3));
    assert_eq!(hold(&format!("{good}\ncheck\t{{\"ok\":true}}\t.")), None);
    assert_eq!(hold(&format!("{good}\nchecks\t{{}}\t.")), None);
}

/// What `scripts/documents.py` says of a tree, `--check` given; none where it cannot be asked.
fn stale_types(tree: &Path) -> Option<String> {
    if !has("python3") {
        return None;
    }
    let output =
        output(Command::new("python3").arg(tree.join("scripts/documents.py")).arg("--check"));
    assert!(output.status.success() == output.stdout.is_empty(), "{}", all_said(&output));
    Some(all_said(&output))
}

#[test]
fn the_types_of_the_clients_are_those_of_the_shapes() {
    assert_eq!(stale_types(&root("")).unwrap_or_default(), "");
}

#[test]
fn a_key_that_a_client_has_no_type_for_is_found_and_so_is_a_shape() {
    let tree = tempfile::tempdir().expect("a folder");
    let made = ["clients/python/smolwf/documents.py", "clients/node/src/documents.ts"];
    let made = [made[0], made[1], "clients/go/documents.go"];
    let shapes = all().into_keys().map(|name| format!("docs/schemas/{name}.json"));
    let files = made.map(str::to_owned).into_iter().chain(["scripts/documents.py".to_owned()]);
    for file in shapes.chain(files) {
        let copy = tree.path().join(&file);
        fs::create_dir_all(copy.parent().expect("it is in a folder")).expect("a folder");
        fs::copy(root(&file), copy).expect("a file of the tree");
    }
    let Some(said) = stale_types(tree.path()) else { return };
    assert_eq!(said, "");
    let mut fault = all()["fault"].clone();
    fault["properties"]["page"] = json!({"type": "integer", "description": "Where."});
    let folder = tree.path().join("docs/schemas");
    fs::write(folder.join("fault.json"), fault.to_string()).expect("a file");
    let said = stale_types(tree.path()).expect("it was asked before");
    assert!(
        made.iter().all(|file| said.contains(&format!("{file}: run `make documents`"))),
        "{said}"
    );
    fs::write(folder.join("wing.json"), fault.to_string()).expect("a file");
    let said = output(Command::new("python3").arg(tree.path().join("scripts/documents.py")));
    assert!(all_said(&said).contains("['wing']") && !said.status.success(), "{}", all_said(&said));
}

#[test]
fn a_document_with_a_key_too_many_or_too_few_or_of_another_type_is_seen() {
    let good = json!([{"id": 1, "introduced_version": "0.1.0", "applied_time": 5}]);
    assert_shape("migrations", &good.to_string());
    let mut more = good.clone();
    more[0]["by"] = "me".into();
    let fewer = json!([{"id": 1, "introduced_version": "0.1.0"}]);
    let mut other = good;
    other[0]["id"] = "1".into();
    for wrong in [more, fewer, other] {
        let wrong = wrong.to_string();
        assert!(catch_unwind(|| assert_shape("migrations", &wrong)).is_err(), "{wrong}");
    }
}
