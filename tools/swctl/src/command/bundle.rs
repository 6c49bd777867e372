//! What a report of a fault needs, in one document: versions, statistics, places, the check, and the
//! story of one run. What the host stored is taken out unless it is wanted.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Done, Session, carry};
use crate::door::{Error, build_info, code};
use crate::{run_id, time};

/// Members of documents that hold what the host gave.
const PAYLOADS: [&str; 8] = [
    "args",
    "result",
    "error",
    "last_error",
    "metadata",
    "payload",
    "idempotency_key",
    "concurrency_key",
];

/// Events of a store that a bundle shows, the last.
const EVENTS_MAX: i64 = 200;

/// What goes in.
pub(super) struct Wanted<'a> {
    pub run: Option<&'a str>,
    pub output: Option<&'a Path>,
    pub payloads: bool,
    pub check: bool,
}

pub(super) fn bundle(session: &mut Session, wanted: &Wanted) -> Done {
    let mut members = Map::new();
    members.insert("bundle".into(), json!(1));
    members.insert("made_at".into(), json!(time::iso(session.store.now_ms())));
    members.insert("swctl".into(), json!(env!("CARGO_PKG_VERSION")));
    members.insert("library".into(), serde_json::from_str(build_info())?);
    members.insert("system".into(), system());
    members.insert("redacted".into(), json!(!wanted.payloads));
    store(session, wanted, &mut members)?;
    if let Some(run) = wanted.run {
        let id = run_id::resolve(&session.store, run)?;
        story(session, &id, &mut members)?;
    }
    let mut bundle = Value::Object(members);
    if !wanted.payloads {
        redact(&mut bundle);
    }
    let text = serde_json::to_string_pretty(&bundle)?;
    match wanted.output {
        Some(file) => carry::write_new(file, &text),
        None => Ok(session.out.line(&text)?),
    }
}

fn system() -> Value {
    let line = |file: &str| fs::read_to_string(file).map_or(Value::Null, |text| json!(text.trim()));
    json!({"kernel": line("/proc/sys/kernel/osrelease"), "arch": std::env::consts::ARCH})
}

/// A document, or what stood in its way: a bundle is made above all where something is broken.
fn part(answer: Result<String, Error>) -> Value {
    match answer {
        Ok(document) => serde_json::from_str(&document).unwrap_or(Value::Null),
        Err(error) => json!({"failed": {"code": error.code, "message": error.message}}),
    }
}

fn store(session: &Session, wanted: &Wanted, members: &mut Map<String, Value>) -> Done {
    let store = &session.store;
    let schema = store.schema_version();
    members
        .insert("schema_version".into(), json!(schema.as_ref().ok().map(|(current, _)| current)));
    members.insert("migrations".into(), part(store.migrations()));
    members.insert("stats".into(), part(store.stats()));
    members.insert("queues".into(), part(store.queues()));
    members.insert("owners".into(), part(store.owners()));
    members.insert("schedules".into(), part(store.schedules()));
    let last = store.event_read(None, 0, 1).ok();
    let last = last.and_then(|page| serde_json::from_str::<Value>(&page).ok());
    let last = last.and_then(|page| page["last_seq"].as_i64()).unwrap_or(0);
    members.insert("events".into(), part(store.event_read(None, (last - EVENTS_MAX).max(0), 0)));
    if wanted.check {
        members.insert("check".into(), part(store.check()));
    }
    Ok(())
}

fn story(session: &Session, id: &str, members: &mut Map<String, Value>) -> Done {
    let store = &session.store;
    members.insert("run".into(), part(store.run_get(id)));
    members.insert("explanation".into(), part(store.run_explain(id)));
    members.insert("budget".into(), part(store.budget_get(id)));
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = part(store.run_history(id, cursor.as_deref(), code::SW_PAGE_LEN_MAX as u32));
        cursor = page["next"].as_str().map(str::to_string);
        pages.push(page);
        if cursor.is_none() {
            break;
        }
    }
    members.insert("history".into(), Value::Array(pages));
    Ok(())
}

/// Puts kind and length in the place of each payload.
fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match PAYLOADS.contains(&key.as_str()) && !member.is_null() {
                    true => *member = outline(member),
                    false => redact(member),
                }
            }
        }
        _ => {}
    }
}

/// What is told of a payload: the library's own errors are told whole but for what the host said.
fn outline(payload: &Value) -> Value {
    if let Some(kind) = payload.get("$smolwf") {
        return json!({"$smolwf": kind});
    }
    let kind = match payload {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    json!({"redacted": kind, "bytes": payload.to_string().len()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payload_is_left_in_a_bundle_and_the_librarys_own_words_stay() {
        let mut bundle = json!({"run": {"args": {"card": "4111"}, "run_id": "run_1", "result": null,
            "error": {"$smolwf": "cancelled", "reason": "4111"}}, "history": [{"steps": [
            {"name": "charge", "result": "4111"}], "events": [{"payload": [4111]}]}]});
        redact(&mut bundle);
        let text = bundle.to_string();
        assert!(!text.contains("4111"), "{text}");
        assert!(text.contains("charge") && text.contains("cancelled"), "{text}");
    }
}
