//! What may be done: to one run, to runs that were chosen, to those that a filter means, to a queue.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::api::{Setup, may_ask};
use super::reply::Refused;
use crate::door::{Error, Store};

/// Runs that may be named at once, as many as a call on many acts on.
const RUNS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act<'a> {
    action: String,
    run_ids: Option<Vec<String>>,
    #[serde(borrow)]
    filter: Option<&'a RawValue>,
    #[serde(default)]
    limit: u32,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signal {
    name: String,
    /// JSON as a text, so that it arrives as it was typed.
    payload: Option<String>,
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fork {
    from_step: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raise {
    unit: String,
    delta: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queue<'a> {
    queue: String,
    #[serde(borrow)]
    settings: &'a RawValue,
}

/// Does what a path below `/api/` names; the answer is a document.
pub fn act(store: &Store, setup: &Setup, path: &str, body: &str) -> Result<String, Refused> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["act"] => act_on_runs(store, setup, &serde_json::from_str(body)?),
        ["runs", id, "signal"] => signal(store, id, &serde_json::from_str(body)?),
        ["runs", id, "fork"] => fork(store, id, &serde_json::from_str(body)?),
        ["runs", id, "raise"] => raise(store, id, &serde_json::from_str(body)?),
        ["queue"] => set_queue(store, &serde_json::from_str(body)?),
        _ => Err(Refused::new(StatusCode::NOT_FOUND, "there is no such act")),
    }
}

fn act_on_runs(store: &Store, setup: &Setup, act: &Act<'_>) -> Result<String, Refused> {
    match (&act.run_ids, act.filter) {
        (Some(ids), None) => act_on_each(store, act, ids),
        (None, Some(filter)) if act.reason.is_none() => {
            may_ask(setup, filter.get())?;
            Ok(store.run_act_many(&act.action, filter.get(), act.limit)?)
        }
        _ => Err(Refused::bad("an act names run_ids, or a filter and no reason")),
    }
}

/// What an act on many answers, of runs that were named. Each is a commit of its own: what the library
/// refuses of one is told, and the others are done.
fn act_on_each(store: &Store, act: &Act<'_>, ids: &[String]) -> Result<String, Refused> {
    if ids.len() > RUNS_MAX {
        return Err(Refused::bad(format!("{} runs are named, {RUNS_MAX} may be", ids.len())));
    }
    let reason = act.reason.as_ref().map(serde_json::to_string).transpose()?;
    let one = |id: &str| -> Result<(), Error> {
        match act.action.as_str() {
            "retry" => store.run_retry(id),
            "pause" => store.run_pause(id),
            "resume" => store.run_resume(id),
            _ => store.run_cancel(id, reason.as_deref()),
        }
    };
    if !["retry", "pause", "resume", "cancel"].contains(&act.action.as_str()) {
        return Err(Refused::bad("an action is retry, pause, resume or cancel"));
    }
    let mut refused = Vec::new();
    for id in ids {
        match one(id) {
            Ok(()) => {}
            Err(error) if ids.len() == 1 || error.is_retryable => return Err(error.into()),
            Err(error) => refused.push(serde_json::json!({"run_id": id, "code": error.code})),
        }
    }
    let done = ids.len() - refused.len();
    Ok(serde_json::json!({"matched": ids.len(), "done": done, "refused": refused, "more": false})
        .to_string())
}

fn signal(store: &Store, id: &str, signal: &Signal) -> Result<String, Refused> {
    let (payload, key) = (signal.payload.as_deref(), signal.idempotency_key.as_deref());
    let is_new = store.signal_send(id, &signal.name, payload, key)?;
    Ok(serde_json::json!({"run_id": id, "name": signal.name, "exists": !is_new}).to_string())
}

fn fork(store: &Store, id: &str, fork: &Fork) -> Result<String, Refused> {
    let made = store.run_fork(id, fork.from_step.as_deref())?;
    Ok(serde_json::json!({"run_id": made}).to_string())
}

fn raise(store: &Store, id: &str, raise: &Raise) -> Result<String, Refused> {
    store.budget_raise(id, &raise.unit, raise.delta)?;
    Ok(store.budget_get(id)?)
}

fn set_queue(store: &Store, queue: &Queue<'_>) -> Result<String, Refused> {
    store.queue_set(&queue.queue, queue.settings.get())?;
    Ok(serde_json::json!({"queue": queue.queue}).to_string())
}
