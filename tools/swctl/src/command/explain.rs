//! Why a run does not move, as prose, with the command that helps.

use serde_json::{Map, Value};

use super::{Done, Session, fact};
use crate::document::{Explanation, Reason, Run};
use crate::out::Form;
use crate::run_id;
use crate::table::{Cell, Table, Tone};
use crate::{text, time};

pub(super) fn why(session: &mut Session, typed: &str) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    let document = session.store.run_explain(&id)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let explanation: Explanation = serde_json::from_str(&document)?;
    if session.out.form == Form::Piped {
        return piped(session, &explanation);
    }
    let document = session.store.run_get(&id)?;
    let run: Run = serde_json::from_str(&document)?;
    let bold = session.out.paint(Tone::Bold, explanation.run_id);
    let state = session.out.paint(Tone::of_state(explanation.state), explanation.state);
    let workflow = text::visible(&run.workflow).into_owned();
    session.out.line(&format!("{bold}, a run of {workflow}, is {state}:"))?;
    for reason in &explanation.reasons {
        session.out.line("")?;
        sentence(session, reason)?;
        advice(session, reason, &run)?;
    }
    Ok(())
}

fn piped(session: &mut Session, explanation: &Explanation) -> Done {
    let mut table = Table::new(&["CODE", "SINCE", "TEXT", "HINT"]);
    for reason in &explanation.reasons {
        table.row(vec![
            reason.code.into(),
            Cell::moment(reason.since_ms),
            reason.text.as_str().into(),
            reason.hint.as_deref().into(),
        ]);
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

/// The reason in one sentence, with since when.
pub(super) fn sentence(session: &mut Session, reason: &Reason) -> Done {
    let now = session.store.now_ms();
    let since = reason.since_ms.map(|at| format!(", since {}", time::relative(at, now)));
    let sentence = format!("{}{}", text::visible(&reason.text), since.unwrap_or_default());
    for line in text::wrapped(&capital(&sentence), session.out.room(2).min(100)) {
        session.out.line(&format!("  {line}"))?;
    }
    Ok(())
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect()) + "."
}

/// What is known of it, and what to type.
fn advice(session: &mut Session, reason: &Reason, run: &Run) -> Done {
    let evidence: Map<String, Value> = serde_json::from_str(reason.evidence.get())?;
    let now = session.store.now_ms();
    for (name, value) in &evidence {
        let Some(fact) = known(name, value, now) else { continue };
        let name = name.trim_end_matches("_ms").replace('_', " ");
        fact::line(session, (4, 18), &name, &fact)?;
    }
    for command in commands(reason.code, &evidence, run) {
        let line = format!("swctl {} {command}", quoted(&session.place));
        let line = session.out.paint(Tone::Busy, &line);
        session.out.line(&format!("    {line}"))?;
    }
    Ok(())
}

/// A member of the evidence as people read it; None where it says nothing.
fn known(name: &str, value: &Value, now_ms: i64) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) if name.ends_with("_at_ms") || name == "until_ms" => {
            number.as_i64().map(|at| format!("{} ({})", time::iso(at), time::relative(at, now_ms)))
        }
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| item.as_str().map_or(item.to_string(), str::to_string))
                .collect();
            Some(items.join(", "))
        }
        other => Some(other.to_string()),
    }
}

/// What to type next, by the code of the reason. Names of the host are quoted for a shell.
fn commands(code: &str, evidence: &Map<String, Value>, of: &Run) -> Vec<String> {
    let named = |key: &str| evidence.get(key).and_then(Value::as_str).map(quoted);
    let (run, queue) = (of.run_id, quoted(&of.queue));
    let first = evidence.get("run_ids").and_then(|ids| ids.get(0)).and_then(Value::as_str);
    let holder = first.map(|id| format!("why {id}"));
    let one = |command: String| vec![command];
    match code {
        "running" => one(format!("steps {run}")),
        "owner_dead" | "owner_silent" => one("owners".to_string()),
        "cancel_unheard" => vec![format!("steps {run}"), "owners".to_string()],
        "queue_paused" => one(format!("queue resume {queue}")),
        "queue_full" => {
            let limit = evidence.get("concurrency").and_then(Value::as_i64).unwrap_or(1) + 1;
            holder.into_iter().chain([format!("queue set {queue} --concurrency {limit}")]).collect()
        }
        "key_full" => holder.into_iter().collect(),
        "local_owner" => one("owners".to_string()),
        "behind_others" => one(format!("ls --queue {queue} --state pending --oldest")),
        "queue_unclaimed" | "version_unclaimed" => vec!["queues".to_string(), "owners".to_string()],
        "not_due" | "waits_sleep" => one(format!("wait {run}")),
        "backing_off" => one(format!("show {run}")),
        "waits_signal" => {
            let signal =
                named("signal").or_else(|| named("name")).unwrap_or_else(|| "NAME".to_string());
            one(format!("signal {run} {signal} JSON"))
        }
        "waits_child" => {
            let child = ["child", "run_id"].iter().find_map(|key| named(key));
            child.map(|id| format!("why {id}")).into_iter().collect()
        }
        "waits_budget" => one(format!("budget {run}")),
        "paused" => one(format!("resume {run}")),
        "ended" if of.state == "completed" => one(format!("show {run}")),
        "ended" => vec![format!("show {run}"), format!("retry {run}")],
        _ => Vec::new(),
    }
}

/// A word as a shell takes it; what would move the cursor, or is not seen, as bash and zsh write it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    if !word.chars().any(text::is_hidden) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let escaped = word.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if text::is_hidden(c) => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}
