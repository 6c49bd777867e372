//! What a backend gives to exports and imports: rows as they leave a store with their tree, and what no
//! other topic writes of them when they come into another.

use super::budget::{Entry, Reservation};
use super::run::{Outcome, RunKey, Submit};
use super::task::Task;
use crate::error::Result;
use crate::id::Id;

/// A run's row as it leaves its store.
#[derive(Debug, Clone)]
pub struct CarriedRun {
    /// Public id.
    pub run_id: Id,
    /// Run that submitted it.
    pub parent_run_id: Option<Id>,
    /// Run that it was forked from.
    pub forked_from: Option<Id>,
    /// What it was submitted with, its queue named.
    pub submit: Submit,
    /// When.
    pub created_at_ms: i64,
    /// How it ended, if it did; 0 attempts and tries stand for none that are noted.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
    /// Attempts of an ended run.
    pub attempts: Option<u32>,
    /// Tries of an ended run.
    pub tries: Option<u32>,
    /// JSON.
    pub result: Option<String>,
    /// JSON; of an open run what it is to end with, once a cancel was asked.
    pub error: Option<String>,
    /// Its children are still to be ended.
    pub is_cascading: bool,
}

/// What a parked task waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarriedTarget {
    /// The end of a run.
    Child(Id),
    /// Signals under a name.
    Signal(String),
    /// Room in a unit of the budget.
    Room(String),
    /// A moment, Unix milliseconds.
    Time(i64),
}

/// A signal as it leaves its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedSignal {
    /// Name.
    pub name: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// When it was sent.
    pub sent_at_ms: i64,
    /// JSON; gone once it was taken.
    pub payload: Option<String>,
    /// Name and occurrence of the await that took it.
    pub taker: Option<(String, u32)>,
}

/// An event as it leaves its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedEvent {
    /// Number in that store.
    pub seq: i64,
    /// What kind of event it is.
    pub event_type: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// When.
    pub at_ms: i64,
    /// JSON.
    pub payload: String,
}

/// Whether an id can be given to a run that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdStanding {
    /// No row has it.
    Free,
    /// A run has it.
    Taken,
    /// A run has it that is being pruned.
    Pruned,
    /// The row of this key had it, of which nothing else was left: it is to go once a newer one is there.
    Bare(RunKey),
}

/// Trees of runs that leave a store, or come into it.
pub trait CarryPort {
    /// Returns what tells this store from every other, whatever copies of it there are.
    fn store_id(&mut self) -> Result<Vec<u8>>;
    /// Returns up to `limit` runs below a topmost one, in any order.
    fn members(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<RunKey>>;
    /// Returns a run's row.
    fn run_carried(&mut self, run_key: RunKey) -> Result<CarriedRun>;
    /// Returns up to `limit` of what a task waits for; with a count, how many of it must still come, or
    /// what a budget lacks.
    fn waits_carried(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<(CarriedTarget, i64)>>;
    /// Returns up to `limit` of the signals sent to a run, in their order, and none after those whose
    /// payloads have `bytes` together.
    fn signals_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<CarriedSignal>>;
    /// Returns up to `limit` of the events of a run, in their order, and none after those whose payloads
    /// have `bytes` together.
    fn events_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<CarriedEvent>>;
    /// Returns up to `limit` units of what a run has reserved, with the source of each first one, in any
    /// order.
    fn reservations_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
    ) -> Result<Vec<(Reservation, Option<String>)>>;
    /// Returns up to `limit` lines of the ledger of a tree, in any order.
    fn ledger_carried(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<Entry>>;

    /// Returns whether an id is free. A bare row that has it is given another one.
    fn id_standing(&mut self, run_id: Id, spare: Id) -> Result<IdStanding>;
    /// Notes which run one was forked from.
    fn set_forked_from(&mut self, run_key: RunKey, origin: RunKey) -> Result<()>;
    /// Writes what a task has used up and was told, and how many others it waits for that must all come.
    fn task_restore(&mut self, task: &Task, waits_left: u32) -> Result<()>;
    /// Writes a signal, with the await that took it.
    fn signal_restore(&mut self, run_key: RunKey, signal: &CarriedSignal) -> Result<()>;
}
