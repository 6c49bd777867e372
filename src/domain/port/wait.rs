//! What a backend gives to runs that wait: signals, children, and what wakes the parked.

use super::run::{RunEnd, RunKey};
use crate::error::Result;
use crate::id::Id;

/// How a child stands, as its parent asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildState {
    /// Key.
    pub run_key: RunKey,
    /// Run that submitted it.
    pub parent_key: Option<RunKey>,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
}

/// A signal that nobody has taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Key.
    pub signal_key: i64,
    /// When it was sent.
    pub sent_at_ms: i64,
}

/// Something that a parked task waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The end of a run.
    Child(RunKey),
    /// A signal under this name.
    Signal(String),
    /// A moment, Unix milliseconds: of all that are waited for, the sleep that ends last.
    Time(i64),
}

/// Something that has come, as an await takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The signal of this key.
    Signal(i64),
    /// The end of this run.
    Child(RunKey),
}

/// What has come says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The payload of a signal.
    Signal(String),
    /// How a run ended.
    Child(RunEnd),
}

impl Value {
    /// Returns how many bytes it takes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Value::Signal(payload) => payload.len(),
            Value::Child(end) => end.result.as_ref().or(end.error.as_ref()).map_or(4, String::len),
        }
    }
}

/// A task that waited for something that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    /// Its key.
    pub run_key: RunKey,
    /// How many others it still waits for that must all come; 0 when any of them wakes it.
    pub left: u32,
    /// Of all that must come: the sleep that ends last.
    pub sleeps_until_ms: Option<i64>,
    /// When it wakes at the latest.
    pub wake_at_ms: Option<i64>,
}

/// Something that a parked task waits for, as documents show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// The end of a run.
    Child(Id),
    /// A signal under this name.
    Signal(String),
    /// This much room in a unit of the budget.
    Room(String, i64),
}

/// Parking tasks, and what wakes them.
pub trait WaitPort {
    /// Returns how runs stand, each in its place; `None` for one that is not there.
    fn children(&mut self, run_ids: &[Id]) -> Result<Vec<Option<ChildState>>>;
    /// Returns the oldest signals that nobody took, under each name up to as many as are asked for.
    fn signals(&mut self, run_key: RunKey, names: &[(&str, u32)]) -> Result<Vec<Vec<Signal>>>;
    /// Returns whether a signal was sent under this idempotency key.
    fn signal_exists(&mut self, run_key: RunKey, name: &str, key: &str) -> Result<bool>;
    /// Writes a signal, unless one was sent under this key; `false` when one was.
    fn signal_insert_once(
        &mut self,
        run_key: RunKey,
        name: &str,
        key: Option<&str>,
        payload: &str,
        now_ms: i64,
    ) -> Result<bool>;
    /// Returns what signals say and what runs ended with, as far as they have no more than so many
    /// bytes together, and the one after that.
    fn values(&mut self, came: &[Came], bytes: usize) -> Result<Vec<Value>>;
    /// Takes signals for the await that is recorded under this name and occurrence.
    fn signals_take(
        &mut self,
        signal_keys: &[i64],
        run_key: RunKey,
        name: &str,
        occurrence: u32,
    ) -> Result<()>;
    /// Notes that a task waits for things: with a count, that so many must come before it counts
    /// as one of those that must all come; with 0, that the first wakes the task.
    fn waits_insert(&mut self, run_key: RunKey, targets: &[(&Target, u32)]) -> Result<()>;
    /// Notes that one of something has come: drops the waits that this ends, counts down for those who
    /// wait for all of many, and returns who waited.
    fn waiters(&mut self, target_of: RunKey, target: &Target) -> Result<Vec<Waiter>>;
    /// Returns up to `limit` of what a parked task waits for.
    fn waits(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Waiting>>;
}
