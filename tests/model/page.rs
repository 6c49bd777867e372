//! What documents must show, as the model has it, and how a document of the core is made comparable.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::Event;
use super::oracle::{Key, Mark, Oracle, Past, Record, Run, Signal, Space, State, Target};

/// What a run's document and history must show, ids of attempts and steps aside.
pub fn history(oracle: &Oracle, key: Key) -> Value {
    let run = &oracle.runs[key];
    let mut attempts: Vec<Value> = run.past.iter().map(past).collect();
    if let Some(lease) = &run.lease {
        attempts.push(json!({"number": run.fence, "worker": lease.worker, "state": "running",
            "started_at_ms": lease.claimed_at, "ended_at_ms": null, "error": null}));
    }
    let signal = |signal: &Signal| {
        json!({"name": signal.name, "payload": parse(signal.is_shown.then_some(signal.payload.as_str())),
            "sent_at_ms": signal.sent_at, "consumed": signal.is_taken})
    };
    let child = |child: Key| {
        let child = &oracle.runs[child];
        json!({"run_id": child.id, "workflow": child.submit.workflow, "state": child.state.name(),
            "created_at_ms": child.created_at, "finished_at_ms": child.finished_at})
    };
    json!({
        "run": document(oracle, run),
        "attempts": attempts,
        "steps": run.records.iter().map(record).collect::<Vec<_>>(),
        "signals": run.signals.iter().map(signal).collect::<Vec<_>>(),
        "children": oracle.children(key).into_iter().map(child).collect::<Vec<_>>(),
        "events": oracle.events.iter().filter(|event| event.run == key).map(Event::document).collect::<Vec<_>>(),
        "next": null,
    })
}

fn parse(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| serde_json::from_str(text).expect("the model stores JSON"))
}

fn document(oracle: &Oracle, run: &Run) -> Value {
    let is_open = !run.state.is_ended();
    let last_error = run.past.iter().rev().find_map(|past| past.error.as_deref());
    let waiting_for = (run.state == State::Waiting).then(|| waiting_for(oracle, run));
    json!({
        "run_id": run.id,
        "root_run_id": oracle.runs[run.root].id,
        "parent_run_id": run.parent.map(|parent| oracle.runs[parent].id.clone()),
        "workflow": run.submit.workflow,
        "queue": run.queue,
        "state": run.state.name(),
        "priority": run.submit.priority,
        "args": parse(run.submit.args.as_deref()),
        "result": parse(run.result.as_deref()),
        "error": parse(run.error.as_deref()),
        "attempts": run.fence,
        "tries": run.tries(),
        "max_tries": run.max_tries(),
        "run_at_ms": run.run_at,
        "created_at_ms": run.created_at,
        "finished_at_ms": run.finished_at,
        "metadata": parse(run.submit.metadata.as_deref()),
        "code_version": run.submit.version,
        "waiting_for": waiting_for,
        "due_at_ms": (run.state == State::Pending).then_some(run.due),
        "cancel_asked": is_open && run.is_cancel_asked,
        "pause_asked": is_open && run.is_pause_asked,
        "last_error": parse(last_error.filter(|_| is_open)),
    })
}

fn waiting_for(oracle: &Oracle, run: &Run) -> Vec<Value> {
    let mut list: BTreeMap<String, Value> = BTreeMap::new();
    for target in run.plain.iter().chain(run.counted.keys()) {
        let entry = match target {
            Target::Child(child) => json!({"child": oracle.runs[*child].id}),
            Target::Signal(name) => json!({"signal": name}),
        };
        list.insert(entry.to_string(), entry);
    }
    for (unit, amount) in &run.rooms {
        let entry = json!({"budget": unit, "amount": amount});
        list.insert(entry.to_string(), entry);
    }
    if let Some(wake) = run.wake {
        let entry = json!({"until_ms": wake});
        list.insert(entry.to_string(), entry);
    }
    list.into_values().collect()
}

fn past(past: &Past) -> Value {
    json!({"number": past.number, "worker": past.worker, "state": past.state,
        "started_at_ms": past.started_at, "ended_at_ms": past.ended_at,
        "error": parse(past.error.as_deref())})
}

fn record(record: &Record) -> Value {
    let (state, has_ended) = match record.mark {
        Mark::Started => ("running", false),
        Mark::Done => ("completed", true),
        Mark::Failed => ("failed", true),
        Mark::BacksOff => ("backing_off", true),
        Mark::TimedOut => ("timed_out", true),
        Mark::Asked => ("waiting", false),
    };
    let kind = match record.space {
        Space::Step => "step",
        Space::Sleep => "sleep",
        Space::Await => "await",
        Space::Child => "child_submit",
    };
    json!({"name": record.name, "occurrence": record.occurrence,
        "kind": record.label.as_deref().unwrap_or(kind), "state": state, "tries": record.tries,
        "input_hash": record.input.is_some(), "result": parse(record.result.as_deref()),
        "error": parse(record.error.as_deref()), "started_at_ms": record.started_at,
        "ended_at_ms": has_ended.then_some(record.started_at + record.took)})
}

/// Makes a history of the core comparable: ids that are computed, messages and hashes go, lists
/// without an order get one.
pub fn comparable(history: &str) -> Value {
    let mut page: Value = serde_json::from_str(history).expect("a history is JSON");
    strip(&mut page);
    if let Some(list) = page["run"]["waiting_for"].as_array_mut() {
        list.sort_by_key(Value::to_string);
    }
    page
}

/// Keeps of a document, or of each in a list, the keys that the model knows: keys are only ever added.
pub fn narrow(mut found: Value, expected: &Value) -> Value {
    match (&mut found, expected) {
        (Value::Object(fields), Value::Object(known)) => {
            fields.retain(|key, _| known.contains_key(key));
        }
        (Value::Array(rows), Value::Array(known)) => {
            for (row, known) in rows.iter_mut().zip(known) {
                *row = narrow(row.take(), known);
            }
        }
        _ => {}
    }
    found
}

/// Takes out what is not promised or has a test of its own.
pub fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("$smolwf") {
                fields.remove("message");
            }
            for key in ["task_id", "updated_at_ms", "attempt_id", "step_id"] {
                fields.remove(key);
            }
            if let Some(hash) = fields.get_mut("input_hash") {
                *hash = Value::Bool(!hash.is_null());
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}
