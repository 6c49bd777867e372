//! Where runs wait and who works: queues, owners.

use serde::Deserialize;

use super::{Done, Session};
use crate::table::{Cell, Table, Tone};

#[derive(Deserialize)]
pub(super) struct Queue {
    pub queue: String,
    concurrency: Option<i64>,
    concurrency_per_key: Option<i64>,
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
pub(super) const QUEUES: [&str; 11] = [
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

pub(super) fn queues(session: &mut Session) -> Done {
    let document = session.store.queues()?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let mut table = Table::new(&QUEUES);
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
