//! The published shapes of documents (`docs/schemas/`), and whether a text has one.
//!
//! For readers a shape is open, since keys are only ever added; here it is closed, so that a key that
//! the library writes and the shape does not name is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// What stands before a shape's name in its id and in references to it.
const PREFIX: &str = "urn:smolwf:schema:";

/// Panics unless `text` is JSON of the shape `name`.
pub fn assert_shape(name: &str, text: &str) {
    static SHAPES: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    let shapes = SHAPES.get_or_init(|| {
        let all = all();
        all.keys().map(|name| (name.clone(), validator(name, &all))).collect()
    });
    let shape = shapes.get(name).unwrap_or_else(|| panic!("docs/schemas has no {name}.json"));
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let faults: Vec<_> = shape.iter_errors(&value).map(|error| at(&error)).collect();
    assert!(faults.is_empty(), "no {name}: {}\n{text}", faults.join("; "));
}

/// Panics unless `text` is JSON of the shape `name` from which something may be left out: keys, and all
/// but the beginning of an id.
#[allow(dead_code, reason = "one suite shows parts")]
pub fn assert_part(name: &str, text: &str) {
    let parts = all().into_iter().map(|(name, shape)| (name, part(shape))).collect();
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let faults: Vec<_> = validator(name, &parts).iter_errors(&value).map(|it| at(&it)).collect();
    assert!(faults.is_empty(), "no part of {name}: {}\n{text}", faults.join("; "));
}

fn part(mut shape: Value) -> Value {
    if let Value::Object(members) = &mut shape {
        members.retain(|key, value| key != "pattern" && !(key == "required" && value.is_array()));
        members.values_mut().for_each(|value| *value = part(value.take()));
    }
    shape
}

/// Holds each document of a file that `tests/c/documents.c` kept to its shape, and returns how many there
/// are. A kill may have cut the last of a process short.
#[allow(dead_code, reason = "not all who hold documents keep them first")]
pub fn hold(documents: &Path) -> usize {
    let text = fs::read_to_string(documents).unwrap_or_default();
    let kept = text.lines().filter_map(|line| line.strip_suffix("\t.")?.split_once('\t'));
    kept.map(|(shape, document)| assert_shape(shape, &held_by_doubles(document))).count()
}

/// A number that no double holds is JSON all the same, and the library takes it; the validator does not.
fn held_by_doubles(document: &str) -> String {
    let (mut held, mut rest) = (String::new(), document);
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_len(first, rest));
        let is_too_wide = token.parse().is_ok_and(f64::is_infinite);
        held.push_str(if is_too_wide { "1e40" } else { token });
        rest = after;
    }
    held
}

/// The length of the string or number that a text begins with; of anything else, that of its first.
fn token_len(first: char, text: &str) -> usize {
    let mut is_escaped = false;
    let ends_string = |character: char| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    };
    match first {
        '"' => text[1..].find(ends_string).map_or(text.len(), |at| at + 2),
        '-' | '0'..='9' => {
            text.find(|it: char| !"+-.eE0123456789".contains(it)).unwrap_or(text.len())
        }
        other => other.len_utf8(),
    }
}

fn at(error: &jsonschema::ValidationError<'_>) -> String {
    format!("{} {error}", error.instance_path())
}

/// Returns all shapes by name, as they are published.
pub fn all() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let entries = fs::read_dir(folder).expect("docs/schemas is there");
    let paths = entries.map(|entry| entry.expect("docs/schemas can be listed").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| read(&path))
        .collect()
}

fn read(path: &Path) -> (String, Value) {
    let name = path.file_stem().and_then(|name| name.to_str()).expect("shapes have plain names");
    let text = fs::read_to_string(path).expect("a shape can be read");
    let shape = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
    (name.to_owned(), shape)
}

/// One document of all shapes, so that none has to be looked up elsewhere.
fn validator(name: &str, all: &BTreeMap<String, Value>) -> Validator {
    let local = all.iter().map(|(name, shape)| (name.clone(), closed(shape.clone())));
    let shapes: Map<String, Value> = local.collect();
    let whole = json!({"$ref": format!("#/$defs/{name}"), "$defs": shapes});
    jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{name}.json: {error}"))
}

/// Makes references local and objects closed.
fn closed(mut shape: Value) -> Value {
    if let Value::Object(members) = &mut shape {
        members.remove("$id");
        if let Some(Value::String(target)) = members.get_mut("$ref") {
            *target = target.replace(PREFIX, "#/$defs/");
        }
        if members.get("properties").is_some_and(Value::is_object) {
            members.entry("additionalProperties").or_insert(Value::Bool(false));
        }
    }
    let members = shape.as_object_mut().into_iter().flat_map(|members| members.values_mut());
    members.for_each(|value| *value = closed(value.take()));
    let items = shape.as_array_mut().into_iter().flatten();
    items.for_each(|value| *value = closed(value.take()));
    shape
}
