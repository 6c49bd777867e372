//! The policy by which what has ended goes by itself: shown, set member by member, ended.

use serde_json::{Map, Value};

use super::{Done, Session};
use crate::cli::{Retention, Rule, Sure};
use crate::door::Store;
use crate::failure::Failure;
use crate::input;
use crate::out;
use crate::table::{Cell, Table, Value as Shown};
use crate::time;

/// Members of a rule that are ages, and the states that they are of.
const AGES: [(&str, &str); 3] =
    [("completed_ms", "completed"), ("failed_ms", "failed"), ("cancelled_ms", "cancelled")];
const NEWEST: &str = "keep_newest";
/// What goes is counted up to here.
const COUNT_MAX: u64 = 100_000;

pub(super) fn show(session: &mut Session) -> Done {
    let document = session.store.retention_get()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let policy: Map<String, Value> = serde_json::from_str(&document)?;
    let mut table = Table::new(&["WORKFLOW", "COMPLETED", "FAILED", "CANCELLED", "KEEP NEWEST"]);
    if policy.keys().any(|key| key != "workflows") {
        table.row(row("*", &policy));
    }
    for (name, rule) in policy.get("workflows").and_then(Value::as_object).into_iter().flatten() {
        if let Some(rule) = rule.as_object() {
            table.row(row(name, rule));
        }
    }
    if table.is_empty() && session.out.form == out::Form::Table {
        return Ok(session
            .out
            .sentence("there is no policy: what has ended stays until it is pruned")?);
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

fn row(name: &str, rule: &Map<String, Value>) -> Vec<Cell> {
    let number = |key: &str| rule.get(key).and_then(Value::as_i64);
    let age = |key: &str| Cell::from(number(key).map_or(Shown::None, Shown::Span));
    let [completed, failed, cancelled] = AGES.map(|(key, _)| age(key));
    vec![name.into(), completed, failed, cancelled, number(NEWEST).into()]
}

pub(super) fn change(session: &mut Session, asked: &Retention) -> Done {
    let mut policy: Map<String, Value> = serde_json::from_str(&session.store.retention_get()?)?;
    match asked {
        Retention::Set { rule, workflow, .. } => apply(&mut policy, rule, workflow.as_deref())?,
        Retention::Off { .. } => policy.clear(),
    }
    let sure = asked.sure();
    let text = Value::Object(policy.clone()).to_string();
    if sure.dry_run {
        let count = past(&session.store, &policy)?;
        session.out.line(&text)?;
        session.out.flush()?;
        out::say(&format!("a dry run: {}, nothing was set", said(count)));
        return Ok(());
    }
    confirm(session, &policy, sure)?;
    session.store.retention_set(&text)?;
    show(session)
}

/// A policy that lets nothing go needs no question.
fn confirm(session: &Session, policy: &Map<String, Value>, sure: &Sure) -> Done {
    if policy.is_empty() {
        return Ok(());
    }
    let count = past(&session.store, policy)?;
    input::is_sure(&format!("what has ended will go by itself: {}.", said(count)), sure.yes)
}

fn said(count: u64) -> String {
    let more = if count >= COUNT_MAX { " or more" } else { "" };
    format!(
        "{count}{more} topmost runs are old enough now, before newest ones and workflows are looked at"
    )
}

/// Topmost runs that are past the ages which hold for all workflows.
fn past(store: &Store, policy: &Map<String, Value>) -> Result<u64, Failure> {
    let has_age = AGES.iter().any(|(key, _)| policy.contains_key(*key));
    if !has_age && policy.get(NEWEST).and_then(Value::as_i64).unwrap_or(0) > 0 {
        // Without an age the newest stay and all others go.
        let ended = r#"{"state":["completed","failed","cancelled"],"roots_only":true}"#;
        return Ok(store.run_count(ended, COUNT_MAX)?);
    }
    let mut count = 0;
    for (key, state) in AGES {
        let Some(age) = policy.get(key).and_then(Value::as_i64) else { continue };
        let to = store.now_ms().saturating_sub(age).max(0);
        let filter =
            format!("{{\"state\":\"{state}\",\"finished_to_ms\":{to},\"roots_only\":true}}");
        count += store.run_count(&filter, COUNT_MAX)?;
    }
    Ok(count)
}

/// Puts what was named into a policy; the rest stays.
fn apply(policy: &mut Map<String, Value>, rule: &Rule, workflow: Option<&str>) -> Done {
    let mut named = Vec::new();
    let ages = [&rule.completed, &rule.failed, &rule.cancelled];
    for ((key, _), age) in AGES.iter().zip(ages) {
        if let Some(age) = age {
            named.push((*key, member(age, time::parse_span)?));
        }
    }
    if let Some(newest) = &rule.keep_newest {
        let number = |text: &str| text.parse::<i64>().map_err(|_| format!("'{text}' is no number"));
        named.push((NEWEST, member(newest, number)?));
    }
    if named.is_empty() {
        return Err(Failure::Usage(
            "set what? --completed, --failed, --cancelled or --keep-newest".into(),
        ));
    }
    let Some(workflow) = workflow else {
        set(policy, named);
        return Ok(());
    };
    let workflows = policy.entry("workflows").or_insert_with(|| Value::Object(Map::new()));
    if let Some(workflows) = workflows.as_object_mut() {
        let rule = workflows.entry(workflow).or_insert_with(|| Value::Object(Map::new()));
        if let Some(rule) = rule.as_object_mut() {
            set(rule, named);
        }
        workflows.retain(|_, rule| rule.as_object().is_none_or(|rule| !rule.is_empty()));
    }
    policy.retain(|_, member| member.as_object().is_none_or(|members| !members.is_empty()));
    Ok(())
}

fn set(rule: &mut Map<String, Value>, named: Vec<(&str, Option<i64>)>) {
    for (key, number) in named {
        match number {
            Some(number) => rule.insert(key.to_string(), Value::from(number)),
            None => rule.remove(key),
        };
    }
}

/// A value that was typed, or `none`.
fn member(typed: &str, read: impl Fn(&str) -> Result<i64, String>) -> Result<Option<i64>, Failure> {
    match typed {
        "none" => Ok(None),
        text => read(text).map(Some).map_err(Failure::Usage),
    }
}
