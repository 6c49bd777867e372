//! The store as a whole: what there is, what is full, how large the file is; the budget of a tree.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::places::{OWNERS, Owner, Queue, new_queues};
use super::{Done, Session, fact};
use crate::out::Form;
use crate::run_id;
use crate::table::{Cell, Table, Tone, Value, size};
use crate::{text, time};

#[derive(Deserialize)]
pub(super) struct Stats {
    pub at_ms: i64,
    pub runs: Runs,
    pub oldest_ready_at_ms: Option<i64>,
    pub next_due_at_ms: Option<i64>,
    pub queues: Vec<Queue>,
    pub full: Vec<Full>,
    pub owners: Vec<Owner>,
    pub file: File,
}

#[derive(Deserialize)]
pub(super) struct Runs {
    total: i64,
    pending: i64,
    running: i64,
    waiting: i64,
    paused: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    at_least: Vec<String>,
    at_most: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Full {
    queue: String,
    concurrency_key: Option<String>,
    limit: i64,
    running: i64,
    run_ids: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct File {
    pub bytes: i64,
    pub free_bytes: i64,
    pub log_bytes: i64,
}

impl Runs {
    /// Names, counts, and whether a count stopped at its bound.
    pub(super) fn counts(&self) -> Vec<(&'static str, i64, &'static str)> {
        let counts = [
            ("pending", self.pending),
            ("running", self.running),
            ("waiting", self.waiting),
            ("paused", self.paused),
            ("completed", self.completed),
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("total", self.total),
        ];
        let bound = |name: &str| match () {
            () if self.at_least.iter().any(|it| it == name) => "+",
            () if self.at_most.iter().any(|it| it == name) => " at most",
            () => "",
        };
        counts.map(|(name, count)| (name, count, bound(name))).to_vec()
    }
}

pub(super) fn stats(session: &mut Session) -> Done {
    let document = session.store.stats()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let stats: Stats = serde_json::from_str(&document)?;
    if session.out.form == Form::Piped {
        return piped(session, &stats);
    }
    counts(session, &stats)?;
    let now = stats.at_ms;
    heading(session, "queues")?;
    let mut table = new_queues();
    stats.queues.iter().for_each(|queue| table.row(queue.row()));
    rows(session, &table, now)?;
    if !stats.full.is_empty() {
        heading(session, "full")?;
        let mut table = Table::new(&["QUEUE", "KEY", "RUNNING", "LIMIT", "HELD BY"]);
        stats.full.iter().for_each(|full| table.row(full.row()));
        rows(session, &table, now)?;
    }
    heading(session, "owners")?;
    let mut table = Table::new(&OWNERS);
    stats.owners.iter().for_each(|owner| table.row(owner.row()));
    rows(session, &table, now)
}

impl Full {
    fn row(&self) -> Vec<Cell> {
        vec![
            self.queue.as_str().into(),
            self.concurrency_key.as_deref().into(),
            self.running.into(),
            self.limit.into(),
            self.run_ids.join(", ").into(),
        ]
    }
}

fn heading(session: &mut Session, name: &str) -> Done {
    let name = session.out.paint(Tone::Bold, name);
    Ok(session.out.line(&format!("\n{name}"))?)
}

fn rows(session: &mut Session, table: &Table, now_ms: i64) -> Done {
    if table.is_empty() {
        return Ok(session.out.line("none")?);
    }
    Ok(session.out.table(table, now_ms)?)
}

fn counts(session: &mut Session, stats: &Stats) -> Done {
    for (name, count, bound) in stats.runs.counts() {
        let tone = if count == 0 { Tone::Dim } else { Tone::of_state(name) };
        let cells = session.out.room(14).min(10);
        let count = session.out.paint(tone, &format!("{count:>cells$}{bound}"));
        session.out.line(&format!("{name:<14}{count}"))?;
    }
    let File { bytes, free_bytes, log_bytes } = &stats.file;
    let oldest = stats.oldest_ready_at_ms.map_or("none is ready".to_string(), |at| {
        format!("ready since {}", time::relative(at, stats.at_ms))
    });
    let due =
        stats.next_due_at_ms.map_or("nothing".to_string(), |at| time::relative(at, stats.at_ms));
    fact::line(session, (0, 14), "oldest", &oldest)?;
    fact::line(session, (0, 14), "next due", &due)?;
    // Of a server neither is known.
    if session.is_on_server {
        return fact::line(session, (0, 14), "size", &size(*bytes));
    }
    let file =
        format!("{}, {} of it free, log {}", size(*bytes), size(*free_bytes), size(*log_bytes));
    fact::line(session, (0, 14), "file", &file)
}

/// Names and numbers, a line each.
fn piped(session: &mut Session, stats: &Stats) -> Done {
    let mut table = Table::new(&["NAME", "NUMBER"]);
    for (name, count, _) in stats.runs.counts() {
        table.row(vec![name.into(), count.into()]);
    }
    table.row(vec!["oldest_ready".into(), Cell::moment(stats.oldest_ready_at_ms)]);
    table.row(vec!["next_due".into(), Cell::moment(stats.next_due_at_ms)]);
    let File { bytes, free_bytes, log_bytes } = &stats.file;
    for (name, number) in [("bytes", bytes), ("free_bytes", free_bytes), ("log_bytes", log_bytes)] {
        table.row(vec![name.into(), Value::Bytes(*number).into()]);
    }
    Ok(session.out.table(&table, stats.at_ms)?)
}

#[derive(Deserialize)]
struct Budget {
    root_run_id: String,
    units: BTreeMap<String, Unit>,
}

#[derive(Deserialize)]
struct Unit {
    limit: Option<i64>,
    warn: Option<i64>,
    reserved: i64,
    spent: i64,
    remaining: Option<i64>,
}

pub(super) fn budget(session: &mut Session, typed: &str) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    let document = session.store.budget_get(&id)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let budget: Budget = serde_json::from_str(&document)?;
    if session.out.form == Form::Table && budget.units.is_empty() {
        let root = text::visible(&budget.root_run_id).into_owned();
        return Ok(session.out.sentence(&format!("the tree of {root} meters nothing"))?);
    }
    let mut table = Table::new(&["UNIT", "LIMIT", "WARNS AT", "RESERVED", "SPENT", "REMAINING"]);
    for (name, unit) in &budget.units {
        let tone = match unit.remaining {
            Some(left) if left <= 0 => Tone::Bad,
            _ if unit.warn.is_some_and(|warn| unit.spent + unit.reserved >= warn) => Tone::Warn,
            _ => Tone::Plain,
        };
        table.row(vec![
            name.as_str().into(),
            unit.limit.into(),
            unit.warn.into(),
            unit.reserved.into(),
            unit.spent.into(),
            Cell::from(unit.remaining).tone(tone),
        ]);
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}
