//! The published shapes of documents: that each is one, is told of, and sees what is wrong.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use serde_json::{Value, json};

#[path = "support/schemas.rs"]
mod schemas;

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
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DOCUMENTS.md");
    let page = fs::read_to_string(page).expect("the page is there");
    for name in all().keys() {
        let link = format!("[`{name}`](schemas/{name}.json)");
        assert_eq!(page.matches(&link).count(), 1, "{name} in docs/DOCUMENTS.md");
    }
    assert_eq!(page.matches("](schemas/").count(), all().len() + 1, "a shape that is none");
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
