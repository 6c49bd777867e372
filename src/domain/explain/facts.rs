//! What is known of a run that is asked about.

use crate::domain::port::{Ended, QueueLimits, StepKind};

/// Where a run stands.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// It has ended.
    Ended { state: &'static str, at_ms: Option<i64> },
    /// An attempt holds it.
    Held(Held),
    /// A person has set it aside.
    Paused,
    /// It is parked on these.
    Parked(Vec<Parked>),
    /// It is to be claimed, now or later.
    Queued(Box<Queued>),
}

/// The attempt that holds a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub attempt: u32,
    pub worker: Option<String>,
    pub owner: Owner,
    pub claimed_at_ms: i64,
    /// For how long its lease has lapsed.
    pub lapsed_for_ms: Option<i64>,
    /// How it was told to end.
    pub told: Option<Ended>,
    pub pause_asked: bool,
}

/// Who holds a run, or alone may claim it.
#[derive(Debug, Clone, Default)]
pub(super) struct Owner {
    pub owner_id: String,
    /// `None` for one that was forgotten.
    pub pid: Option<u32>,
    /// `None` where that cannot be told.
    pub is_alive: Option<bool>,
}

/// Something that a parked run waits for.
#[derive(Debug, Clone)]
pub(super) enum Parked {
    Signal { name: String, since_ms: Option<i64> },
    Child { run_id: String, state: &'static str },
    Room { unit: String, amount: i64, room: Option<i64> },
    Until { at_ms: i64, record: Option<Record> },
}

/// The record that is asked again then.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub kind: StepKind,
    pub name: String,
    pub backs_off: bool,
    /// JSON.
    pub error: Option<String>,
}

/// A run that is to be claimed.
#[derive(Debug, Clone, Default)]
pub(super) struct Queued {
    pub queue: String,
    pub workflow: String,
    pub code_version: Option<String>,
    pub due_at_ms: i64,
    /// Its last attempt failed or was lost, and it is tried again.
    pub backs_off: bool,
    pub tries: u32,
    pub max_tries: u32,
    /// JSON of what it failed with last.
    pub last_error: Option<String>,
    pub limits: QueueLimits,
    /// How many of the queue's runs are held, and the ids of some.
    pub running: u32,
    pub holders: Vec<String>,
    pub gate: Option<Gate>,
    /// The owner that alone may claim it.
    pub local: Option<Owner>,
    /// When runs of the queue, of its code version and of its lane were last claimed.
    pub queue_claimed_at_ms: Option<i64>,
    pub version_claimed_at_ms: Option<i64>,
    pub lane_claimed_at_ms: Option<i64>,
    /// Attempts hold runs of the queue.
    pub is_busy: bool,
    pub ahead: Ahead,
}

/// The concurrency key of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    pub key: String,
    pub running: u32,
    pub holders: Vec<String>,
}

/// What stands before a run in the order of claims.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead {
    pub count: u32,
    /// There may be more.
    pub is_cut: bool,
    /// When runs of the lanes that they stand in were last claimed.
    pub claimed_at_ms: Option<i64>,
    /// The first of them.
    pub run_id: Option<String>,
}
