//! What the model is made of: runs, attempts, records, signals, and the answers of calls.

use std::collections::{BTreeMap, BTreeSet};

/// Place of a run in the model: the order of submission.
pub type Key = usize;

/// What a call answers: its code, and what comes with it.
pub type Said = (i32, String);

pub const OK: i32 = 0;
pub const NONE: i32 = 1;
pub const TIMEOUT: i32 = 2;
pub const REPLAYED: i32 = 3;
pub const EXISTS: i32 = 4;
pub const SUSPEND: i32 = 5;
pub const FAILED: i32 = 6;
pub const NOT_FOUND: i32 = -3;
pub const CLOSED: i32 = -7;
pub const LEASE_LOST: i32 = -20;
pub const CANCELLED: i32 = -21;
pub const NONDETERMINISM: i32 = -22;
pub const CONFLICT: i32 = -23;

pub fn said(code: i32) -> Said {
    (code, String::new())
}

/// An error that the engine makes: its kind, since messages are not promised.
pub fn engine(kind: &str) -> String {
    format!("{{\"$smolwf\":\"{kind}\"}}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Running,
    Waiting,
    Paused,
    Completed,
    Failed,
    Cancelled,
}

impl State {
    pub fn is_ended(self) -> bool {
        matches!(self, State::Completed | State::Failed | State::Cancelled)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::Waiting => "waiting",
            State::Paused => "paused",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

/// How a run must end, whatever its attempt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    TimedOut,
}

#[derive(Debug, Clone)]
pub struct Lease {
    pub handle: u64,
    pub until: i64,
    pub length: u32,
    pub claimed_at: i64,
    pub worker: Option<String>,
}

/// An attempt that has ended.
#[derive(Debug, Clone)]
pub struct Past {
    pub number: u32,
    pub state: &'static str,
    pub worker: Option<String>,
    pub started_at: i64,
    pub ended_at: i64,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    Step,
    Sleep,
    Await,
    Child,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Started,
    Done,
    Failed,
    BacksOff,
    TimedOut,
    Asked,
}

/// A record that replays.
#[derive(Debug, Clone)]
pub struct Record {
    pub space: Space,
    pub name: String,
    pub occurrence: u32,
    pub mark: Mark,
    pub tries: u32,
    pub retry_at: i64,
    pub label: Option<String>,
    pub input: Option<String>,
    pub started_at: i64,
    pub took: i64,
    pub result: Option<String>,
    pub error: Option<String>,
    /// Of an ask: the deadline of the whole, and of each sleep.
    pub deadline: Option<i64>,
    pub sleeps: Vec<Option<i64>>,
}

#[derive(Debug, Clone)]
pub struct Signal {
    pub name: String,
    pub key: Option<String>,
    pub payload: String,
    pub sent_at: i64,
    pub is_taken: bool,
    /// Of one that was taken among others, the record of that await alone tells.
    pub is_shown: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Child(Key),
    Signal(String),
}

/// One thing that an attempt was told to wait for.
#[derive(Debug, Clone, Default)]
pub struct Wait {
    pub at: Option<i64>,
    /// What has not come, and how many signals of the name there must be in all.
    pub targets: Vec<(Target, usize)>,
    pub needs_all: bool,
    /// Of all: when the last sleep is over, while other things are to come.
    pub after: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub struct Submit {
    pub workflow: String,
    pub queue: Option<String>,
    pub args: Option<String>,
    pub run_at: i64,
    pub timeout: i64,
    pub priority: i32,
    pub max_tries: u32,
    pub key: Option<(Option<String>, String)>,
    pub gate: Option<String>,
    pub version: Option<String>,
    pub metadata: Option<String>,
    pub budget: Vec<Limit>,
    pub is_local: bool,
}

/// What a tree may spend of a unit.
#[derive(Debug, Clone)]
pub struct Limit {
    pub unit: &'static str,
    pub limit: i64,
    pub warn: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub id: String,
    pub submit: Submit,
    pub queue: String,
    /// The handle that alone may claim it while it is open.
    pub local: Option<u64>,
    pub key: Option<(String, String)>,
    pub parent: Option<Key>,
    /// The run that it was forked from.
    pub origin: Option<Key>,
    pub root: Key,
    pub created_at: i64,
    pub run_at: i64,
    pub state: State,
    /// What it is ordered by among ready runs.
    pub due: i64,
    /// When a delay or timer ends.
    pub wake: Option<i64>,
    pub deadline: Option<i64>,
    pub fence: u32,
    pub failures: u32,
    pub losses: u32,
    pub is_cancel_asked: bool,
    pub is_timed_out: bool,
    pub is_pause_asked: bool,
    pub lease: Option<Lease>,
    pub past: Vec<Past>,
    pub records: Vec<Record>,
    pub signals: Vec<Signal>,
    /// While it waits: what wakes it at once, and what does when the last of it comes.
    pub plain: BTreeSet<Target>,
    pub counted: BTreeMap<Target, usize>,
    pub after: Option<i64>,
    /// Of each unit of its budget: how much must have room.
    pub rooms: BTreeMap<String, i64>,
    pub is_woken_for_room: bool,
    pub result: Option<String>,
    pub error: Option<String>,
    pub finished_at: Option<i64>,
    /// It was pruned.
    pub is_gone: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    pub concurrency: Option<u32>,
    pub per_key: Option<u32>,
    pub is_paused: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub queue: String,
    pub workflows: Option<Vec<String>>,
    pub versions: Option<Vec<String>>,
    pub lease_ms: u32,
    pub worker: Option<String>,
}

pub fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::Cancelled => "cancelled",
        Stop::TimedOut => "failed",
    }
}

/// What the history shows of an attempt that ended without an error of its own.
pub fn stop_error(stop: Stop) -> Option<String> {
    (stop == Stop::TimedOut).then(|| engine("timeout"))
}

pub fn lease_end(length: u32, now: i64) -> i64 {
    if length == u32::MAX { i64::MAX } else { now + i64::from(length) }
}

impl Run {
    pub fn tries(&self) -> u32 {
        self.failures + self.losses
    }

    /// The lease of a run that runs.
    pub fn held(&self) -> &Lease {
        self.lease.as_ref().expect("a run that runs is held")
    }

    pub fn max_tries(&self) -> u32 {
        if self.submit.max_tries == 0 { 3 } else { self.submit.max_tries }
    }

    pub fn make_ready(&mut self, due: i64) {
        self.state = State::Pending;
        (self.due, self.wake, self.after) = (due, None, None);
        self.plain.clear();
        self.counted.clear();
        self.rooms.clear();
    }

    pub fn record(&self, space: Space, name: &str, occurrence: u32) -> Option<&Record> {
        self.records
            .iter()
            .find(|r| r.space == space && r.name == name && r.occurrence == occurrence)
    }

    /// Writes a record: over one that is not final, in its place, else at the end.
    pub fn put(&mut self, record: Record) {
        let is_same = |r: &Record| {
            (r.space, &r.name, r.occurrence) == (record.space, &record.name, record.occurrence)
        };
        match self.records.iter().position(is_same) {
            Some(at) => {
                let input = record.input.clone().or_else(|| self.records[at].input.clone());
                self.records[at] = Record { input, ..record };
            }
            None => self.records.push(record),
        }
    }
}
