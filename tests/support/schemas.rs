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
