//! What begins or changes one run: submit, wait, signal, fork, annotate.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Done, Session};
use crate::cli::Submit;
use crate::document::Run;
use crate::door::FOREVER;
use crate::failure::Failure;
use crate::filter::{Object, members};
use crate::out;
use crate::table::{Cell, Table, Tone};
use crate::{input, run_id, text, time};

#[derive(Deserialize)]
struct Submitted {
    run_id: String,
    exists: bool,
}

pub(super) fn submit(session: &mut Session, asked: &Submit) -> Done {
    let item = item(session, asked)?;
    let document = session.store.run_submit_many(&format!("[{item}]"))?;
    let submitted: Vec<Submitted> = serde_json::from_str(&document)?;
    let Some(Submitted { run_id, exists }) = submitted.into_iter().next() else { return Ok(()) };
    match session.out.is_json() {
        true => session.out.document(&document)?,
        false => session.out.line(&run_id)?,
    }
    session.out.flush()?;
    if exists {
        out::say("the key had made this run before: nothing new was submitted");
    }
    if asked.wait { wait_for(session, &run_id, FOREVER) } else { Ok(()) }
}

fn item(session: &Session, asked: &Submit) -> Result<Object, Failure> {
    let mut item = Object::default();
    item.text("workflow", Some(&asked.workflow));
    if let Some(args) = &asked.args {
        item.json("args", document(args, "the arguments")?);
    }
    item.text("queue", asked.queue.as_deref());
    item.text("idempotency_key", asked.key.as_deref());
    item.text("idempotency_scope", asked.scope.as_deref());
    item.text("concurrency_key", asked.concurrency_key.as_deref());
    item.text("code_version", asked.code_version.as_deref());
    let now = session.store.now_ms();
    let at = asked.at.as_deref().map(|at| time::parse_moment(at, now).map_err(Failure::Usage));
    let run_at = at.transpose()?.or(asked.delay.map(|delay| now.saturating_add(delay)));
    let numbers = [
        ("run_at_ms", run_at),
        ("timeout_ms", asked.timeout),
        ("priority", asked.priority.map(i64::from)),
        ("max_tries", asked.tries.map(i64::from)),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            item.json(key, number.to_string());
        }
    }
    for (key, pairs) in [("metadata", &asked.meta), ("budget", &asked.budget)] {
        if !pairs.is_empty() {
            item.json(key, members(pairs)?.to_string());
        }
    }
    Ok(item)
}

/// A JSON argument, looked at before it stands in other JSON: what is none must not close an object.
fn document(typed: &str, what: &str) -> Result<String, Failure> {
    let json = input::json(typed)?;
    match serde_json::from_str::<&serde_json::value::RawValue>(&json) {
        Ok(_) => Ok(json),
        Err(error) => Err(Failure::Usage(format!("{what} are no JSON: {error}"))),
    }
}

pub(super) fn wait(session: &mut Session, typed: &str, timeout: Option<i64>) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    wait_for(session, &id, timeout.unwrap_or(FOREVER))
}

fn wait_for(session: &mut Session, id: &str, timeout_ms: i64) -> Done {
    let Some(document) = session.store.run_wait(id, timeout_ms, None)? else {
        let waited = time::span(timeout_ms);
        return Err(Failure::TimedOut(format!("{id} has not ended within {waited}")));
    };
    let has_completed = serde_json::from_str::<Run>(&document)?.state == "completed";
    outcome(session, &document)?;
    if has_completed { Ok(()) } else { Err(Failure::No) }
}

/// What a run has come to, in one line.
fn outcome(session: &mut Session, document: &str) -> Done {
    if session.out.is_json() {
        return Ok(session.out.document(document)?);
    }
    let run: Run = serde_json::from_str(document)?;
    let payload = run.any_error().or(run.result);
    let mut table = Table::new(&["RUN", "STATE", "RESULT OR ERROR"]);
    let payload = payload.map_or("null", |payload| payload.get());
    table.row(vec![run.run_id.into(), Cell::state(run.state), payload.into()]);
    Ok(session.out.table(&table, session.store.now_ms())?)
}

/// Shows a run after something was done to it.
pub(super) fn became(session: &mut Session, id: &str) -> Done {
    let document = session.store.run_get(id)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let run: Run = serde_json::from_str(&document)?;
    let state = super::list::state(&run);
    let line = match session.out.form {
        out::Form::Table => {
            let state_text = match &state.value {
                crate::table::Value::Text(text) => text.clone(),
                _ => run.state.to_string(),
            };
            format!("{}  {}", run.run_id, session.out.paint(state.tone, &state_text))
        }
        _ => format!("{}\t{}", run.run_id, run.state),
    };
    Ok(session.out.line(&line)?)
}

pub(super) fn signal(
    session: &mut Session,
    run: &str,
    name: &str,
    payload: Option<&str>,
    key: Option<&str>,
) -> Done {
    let id = run_id::resolve(&session.store, run)?;
    let payload = payload.map(input::json).transpose()?;
    let is_new = session.store.signal_send(&id, name, payload.as_deref(), key)?;
    became(session, &id)?;
    session.out.flush()?;
    if !is_new {
        let name = text::visible(name).into_owned();
        out::say(&format!("the key had sent {name} before: nothing new was sent"));
    }
    Ok(())
}

pub(super) fn fork(session: &mut Session, run: &str, from: Option<&str>) -> Done {
    let id = run_id::resolve(&session.store, run)?;
    let made = session.store.run_fork(&id, from)?;
    match session.out.is_json() {
        true => {
            let document = session.store.run_get(&made)?;
            Ok(session.out.document(&document)?)
        }
        false => Ok(session.out.line(&made)?),
    }
}

pub(super) fn annotate(session: &mut Session, run: &str, patch: &[String]) -> Done {
    let id = run_id::resolve(&session.store, run)?;
    let patch = match patch {
        [one] if !one.contains('=') || one.trim_start().starts_with('{') => input::json(one)?,
        pairs => members(pairs)?.to_string(),
    };
    session.store.run_annotate(&id, &patch)?;
    let document = session.store.run_get(&id)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let run: BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(&document)?;
    let metadata = run.get("metadata").map_or("null", |metadata| metadata.get());
    let mut table = Table::new(&["RUN", "METADATA"]);
    table.row(vec![Cell::from(id).tone(Tone::Plain), metadata.into()]);
    Ok(session.out.table(&table, session.store.now_ms())?)
}
