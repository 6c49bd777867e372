//! The documents in which runs are submitted many at a time: one reader for every call that takes
//! such a list, so that an option has one name and one meaning.

use serde::Serialize;

use super::input::{absent, boolean, integer, list, object, payload, present, word};
use super::output::{Document, document};
use super::submit::Submit;
use crate::error::Result;
use crate::limits::{KEY_BYTES_MAX, MANY_MAX, NAME_BYTES_MAX};

/// Reads the list of `sw_run_submit_many`: 1 to 10,000 of `{"workflow", "args", options by name}`.
/// An error names the item.
pub fn runs(items: &str) -> Result<Vec<Submit>> {
    list("items", items, MANY_MAX, run)
}

/// Reads the list of `sw_child_submit_many`: as [`runs`], each with its `"name"`.
pub fn children(items: &str) -> Result<Vec<(String, Submit)>> {
    list("items", items, MANY_MAX, |item| {
        let Item { name, submit } = read(item, true)?;
        Ok((name.ok_or_else(|| absent("name"))?, submit))
    })
}

/// Reads one run: `{"workflow", "args", options by name}`.
pub fn run(item: &str) -> Result<Submit> {
    read(item, false).map(|item| item.submit)
}

/// What such a call answers for an item.
#[derive(Serialize)]
struct Told<'id> {
    run_id: &'id str,
    exists: bool,
}

impl Document for Vec<Told<'_>> {
    const SHAPE: &'static str = "submitted";
}

/// Writes what such a call answers: for each item the run, and whether it was there before.
pub fn answer<'id>(runs: impl Iterator<Item = (&'id str, bool)>) -> Result<String> {
    document(&runs.map(|(run_id, exists)| Told { run_id, exists }).collect::<Vec<_>>())
}

#[derive(Default)]
struct Item {
    name: Option<String>,
    submit: Submit,
}

fn read(text: &str, has_name: bool) -> Result<Item> {
    let mut item = Item::default();
    object(text, |key, value| item.set(key, value, has_name))?;
    if item.submit.workflow.is_empty() {
        return Err(absent("workflow"));
    }
    Ok(item)
}

impl Item {
    /// Takes one key; returns whether it is known. `null` leaves the default.
    fn set(&mut self, key: &str, value: &str, has_name: bool) -> Result<bool> {
        let submit = &mut self.submit;
        match key {
            "name" if has_name => self.name = word(key, value, NAME_BYTES_MAX)?,
            "args" => submit.args = payload(key, value)?,
            "budget" => submit.budget = present(value).map(str::to_owned),
            "metadata" => submit.metadata = present(value).map(str::to_owned),
            "local" => submit.is_local = boolean(key, value)?,
            _ => return set_option(submit, key, value),
        }
        Ok(true)
    }
}

/// Takes an option that is a word or a number; returns whether it is known.
pub(super) fn set_option(submit: &mut Submit, key: &str, value: &str) -> Result<bool> {
    match key {
        "workflow" => submit.workflow = word(key, value, NAME_BYTES_MAX)?.unwrap_or_default(),
        "queue" => submit.queue = word(key, value, NAME_BYTES_MAX)?,
        "run_at_ms" => submit.run_at_ms = integer(key, value)?,
        "timeout_ms" => submit.timeout_ms = integer(key, value)?,
        "backoff_initial_ms" => submit.backoff_initial_ms = integer(key, value)?,
        "backoff_max_ms" => submit.backoff_max_ms = integer(key, value)?,
        "priority" => submit.priority = integer(key, value)?,
        "max_tries" => submit.max_tries = integer(key, value)?,
        "backoff_percent" => submit.backoff_percent = integer(key, value)?,
        "idempotency_key" => submit.idempotency_key = word(key, value, KEY_BYTES_MAX)?,
        "idempotency_scope" => submit.idempotency_scope = word(key, value, KEY_BYTES_MAX)?,
        "concurrency_key" => submit.concurrency_key = word(key, value, KEY_BYTES_MAX)?,
        "code_version" => submit.code_version = word(key, value, NAME_BYTES_MAX)?,
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{self, Id};

    #[test]
    fn an_item_names_its_options_as_the_struct_does_and_keeps_its_args_byte_for_byte() {
        let items = r#"[{"workflow":"w","args":{ "a" : 1.0 },"queue":"q","run_at_ms":5,
            "timeout_ms":6,"backoff_initial_ms":7,"backoff_max_ms":8,"priority":-9,
            "max_tries":10,"backoff_percent":110,"idempotency_key":"k","idempotency_scope":"s",
            "concurrency_key":"c","code_version":"v","metadata":{"m": 1},"local":true},
            {"workflow":"x","queue":null,"args":null}]"#;
        let read = runs(items).unwrap();
        let first = &read[0];
        assert_eq!(first.args.as_deref(), Some(r#"{ "a" : 1.0 }"#));
        assert_eq!((&*first.workflow, first.queue.as_deref()), ("w", Some("q")));
        assert_eq!((first.run_at_ms, first.timeout_ms, first.priority), (5, 6, -9));
        assert_eq!((first.backoff_initial_ms, first.backoff_max_ms), (7, 8));
        assert_eq!((first.max_tries, first.backoff_percent), (10, 110));
        assert_eq!(first.idempotency_key.as_deref(), Some("k"));
        assert_eq!(first.idempotency_scope.as_deref(), Some("s"));
        assert_eq!(first.concurrency_key.as_deref(), Some("c"));
        assert_eq!(first.code_version.as_deref(), Some("v"));
        assert_eq!(first.metadata.as_deref(), Some(r#"{"m": 1}"#));
        assert!(first.is_local && !read[1].is_local);
        assert_eq!(read[1].queue, None);
    }

    #[test]
    fn an_error_names_the_item_and_the_key() {
        for (bad, named) in [
            (
                r#"[{"workflow":"w"},{"workflow":"w","que\u0075es":1}]"#,
                r#"items[1]: unknown key "queues""#,
            ),
            (r#"[{"args":1}]"#, "items[0]: workflow is absent"),
            (r#"[{"workflow":""}]"#, "items[0]: workflow is empty"),
            (r#"[{"workflow":7}]"#, "items[0]: workflow is no string"),
            (r#"[{"workflow":"w","name":"n"}]"#, r#"unknown key "name""#),
            (r#"[{"workflow":"w","workflow":"w"}]"#, r#"the key "workflow" comes twice"#),
            (r#"[{"workflow":"a\u0000"}]"#, "NUL at byte 1"),
            (r#"[{"workflow":"w","priority":1.0}]"#, "priority is no integer from -2147483648"),
            (r#"[{"workflow":"w","max_tries":-1}]"#, "max_tries is -1, it must be 0 to"),
            (r#"[{"workflow":"w","local":1}]"#, "local is neither"),
            (r#"[{"workflow":"w","args":{"$smolwf":1}}]"#, "$smolwf"),
            ("[7]", "items[0]: expected an object"),
            ("{}", "items: expected an array"),
            ("[]", "items has 0 entries"),
        ] {
            let error = runs(bad).unwrap_err();
            assert_eq!(error.code(), -2, "{bad}: {error}");
            assert!(error.to_string().contains(named), "{bad}: {error}");
        }
    }

    #[test]
    fn a_word_above_its_limit_is_too_big() {
        let item = format!(r#"[{{"workflow":"{}"}}]"#, "w".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(runs(&item).unwrap_err().code(), -5);
    }

    #[test]
    fn an_answer_has_the_run_of_each_item() {
        let [one, two] = [1, 2].map(|n| id::write("run", Id::from_bytes([n; 16])));
        let told = answer([(one.as_str(), true), (two.as_str(), false)].into_iter());
        let expected =
            format!(r#"[{{"run_id":"{one}","exists":true}},{{"run_id":"{two}","exists":false}}]"#);
        assert_eq!(told.unwrap(), expected);
    }

    #[test]
    fn a_child_needs_its_name() {
        let read = children(r#"[{"name":"n","workflow":"w"}]"#).unwrap();
        assert_eq!((read[0].0.as_str(), read[0].1.workflow.as_str()), ("n", "w"));
        let error = children(r#"[{"workflow":"w"}]"#).unwrap_err();
        assert_eq!(error.to_string(), "items[0]: name is absent, it must be given");
    }
}
