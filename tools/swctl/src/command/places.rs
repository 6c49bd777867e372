//! Where runs wait, who works, and what submits by itself: queues, owners, schedules.

use serde::Deserialize;

use super::{Done, Session};
use crate::cli;
use crate::door::Error;
use crate::door::code;
use crate::failure::Failure;
use crate::filter::Object;
use crate::table::{Cell, Table, Tone};

#[derive(Deserialize)]
pub(super) struct Queue {
    pub queue: String,
    pub concurrency: Option<i64>,
    pub concurrency_per_key: Option<i64>,
    pub paused: bool,
    pub running: i64,
    pub ready: i64,
    pub delayed: i64,
    pub waiting: i64,
    pub blocked: i64,
    pub oldest_ready_at_ms: Option<i64>,
    pub last_claimed_at_ms: Option<i64>,
}

impl Queue {
    fn is_full(&self) -> bool {
        self.concurrency.is_some_and(|limit| self.running >= limit)
    }

    pub(super) fn row(&self) -> Vec<Cell> {
        let limit = Cell::from(self.concurrency);
        vec![
            self.queue.as_str().into(),
            if self.paused { Cell::from("paused").tone(Tone::Warn) } else { "open".into() },
            Cell::from(self.running),
            if self.is_full() { limit.tone(Tone::Warn) } else { limit },
            self.concurrency_per_key.into(),
            self.ready.into(),
            self.delayed.into(),
            self.waiting.into(),
            self.blocked.into(),
            Cell::moment(self.oldest_ready_at_ms),
            Cell::moment(self.last_claimed_at_ms),
        ]
    }
}

/// Headings of `Queue::row`.
const QUEUES: [&str; 11] = [
    "QUEUE",
    "STATE",
    "RUNNING",
    "LIMIT",
    "PER KEY",
    "READY",
    "DELAYED",
    "WAITING",
    "BLOCKED",
    "OLDEST READY",
    "LAST CLAIM",
];

/// A table of queues; on a narrow one what is ready stays longest.
pub(super) fn new_queues() -> Table {
    Table::new(&QUEUES).yielding(&[4, 8, 7, 6, 10])
}

pub(super) fn queues(session: &mut Session) -> Done {
    let document = session.store.queues()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let mut table = new_queues();
    for queue in serde_json::from_str::<Vec<Queue>>(&document)? {
        table.row(queue.row());
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

#[derive(Deserialize)]
pub(super) struct Owner {
    owner_id: String,
    pid: i64,
    pub alive: Option<bool>,
    opened_at_ms: i64,
    pub running: i64,
    oldest_lease_at_ms: Option<i64>,
}

impl Owner {
    pub(super) fn row(&self) -> Vec<Cell> {
        vec![
            self.owner_id.as_str().into(),
            self.pid.into(),
            match self.alive {
                Some(true) => Cell::from("alive").tone(Tone::Good),
                Some(false) => Cell::from("gone").tone(Tone::Bad),
                None => Cell::from("unknown").tone(Tone::Warn),
            },
            self.running.into(),
            Cell::moment(self.oldest_lease_at_ms),
            Cell::moment(Some(self.opened_at_ms)),
        ]
    }
}

/// Headings of `Owner::row`.
pub(super) const OWNERS: [&str; 6] =
    ["OWNER", "PID", "PROCESS", "RUNNING", "OLDEST HELD SINCE", "FIRST CLAIM"];

pub(super) fn owners(session: &mut Session) -> Done {
    let document = session.store.owners()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let mut table = Table::new(&OWNERS);
    for owner in serde_json::from_str::<Vec<Owner>>(&document)? {
        table.row(owner.row());
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

#[derive(Deserialize)]
struct Schedule<'a> {
    name: String,
    workflow: String,
    queue: String,
    cron: Option<String>,
    every_ms: Option<i64>,
    timezone: String,
    paused: bool,
    next_at_ms: Option<i64>,
    last_at_ms: Option<i64>,
    last_run_id: Option<&'a str>,
    skipped: i64,
    error: Option<String>,
}

impl Schedule<'_> {
    fn row(&self) -> Vec<Cell> {
        let when = match (&self.cron, self.every_ms) {
            (Some(cron), _) => format!("{cron} {}", self.timezone),
            (None, every) => format!("every {}", crate::time::span(every.unwrap_or(0))),
        };
        vec![
            self.name.as_str().into(),
            self.workflow.as_str().into(),
            self.queue.as_str().into(),
            when.into(),
            if self.paused { Cell::from("paused").tone(Tone::Warn) } else { "on".into() },
            Cell::moment(self.next_at_ms),
            Cell::moment(self.last_at_ms),
            self.last_run_id.into(),
            self.skipped.into(),
            Cell::from(self.error.as_deref()).tone(Tone::Bad),
        ]
    }
}

pub(super) fn schedules(session: &mut Session) -> Done {
    let document = session.store.schedules()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let mut table = Table::new(&[
        "SCHEDULE", "WORKFLOW", "QUEUE", "WHEN", "STATE", "NEXT", "LAST", "LAST RUN", "SKIPPED",
        "ERROR",
    ]);
    for schedule in serde_json::from_str::<Vec<Schedule>>(&document)? {
        table.row(schedule.row());
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

/// Sets what is named of a queue and keeps the rest: the library lifts what its settings leave out.
pub(super) fn set(session: &mut Session, asked: &cli::Queue) -> Done {
    let (name, limits, paused) = match asked {
        cli::Queue::Set { queue, concurrency, per_key } => (queue, [concurrency, per_key], None),
        cli::Queue::Pause { queue } => (queue, [&None, &None], Some(true)),
        cli::Queue::Resume { queue } => (queue, [&None, &None], Some(false)),
    };
    let queues: Vec<Queue> = serde_json::from_str(&session.store.queues()?)?;
    let known = queues.into_iter().find(|queue| queue.queue == *name);
    if known.is_none() && paused == Some(false) {
        let message = format!("there is no queue '{}'", crate::text::visible(name));
        return Err(Error::new(code::SW_ERR_NOT_FOUND, message).into());
    }
    let was = known.as_ref().map_or([None, None], |it| [it.concurrency, it.concurrency_per_key]);
    let mut settings = Object::default();
    for (key, (named, was)) in
        ["concurrency", "concurrency_per_key"].iter().zip(limits.iter().zip(was))
    {
        if let Some(limit) = limit(named.as_deref(), was)? {
            settings.json(key, limit.to_string());
        }
    }
    if paused.unwrap_or(known.is_some_and(|queue| queue.paused)) {
        settings.json("paused", "true");
    }
    session.store.queue_set(name, &settings.to_string())?;
    one(session, name)
}

fn limit(typed: Option<&str>, was: Option<i64>) -> Result<Option<i64>, Failure> {
    match typed {
        None => Ok(was),
        Some("none") => Ok(None),
        Some(number) => match number.parse::<u32>() {
            Ok(number) => Ok(Some(number.into())),
            Err(_) => Err(Failure::Usage(format!("'{number}' is no limit: a number or none"))),
        },
    }
}

/// Shows what a queue has become.
fn one(session: &mut Session, name: &str) -> Done {
    let document = session.store.queues()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let mut table = new_queues();
    let queues: Vec<Queue> = serde_json::from_str(&document)?;
    for queue in queues.iter().filter(|queue| queue.queue == name) {
        table.row(queue.row());
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}
