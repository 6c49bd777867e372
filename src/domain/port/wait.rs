//! What a backend gives to runs that wait: signals, children, and what wakes the parked.

use super::run::RunKey;
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
    /// Returns how a run stands.
    fn child(&mut self, run_id: Id) -> Result<Option<ChildState>>;
    /// Returns up to `limit` signals of a name that nobody took, oldest first.
    fn signals(&mut self, run_key: RunKey, name: &str, limit: u32) -> Result<Vec<Signal>>;
    /// Returns whether a signal was sent under this idempotency key.
    fn signal_exists(&mut self, run_key: RunKey, name: &str, key: &str) -> Result<bool>;
    /// Writes a signal.
    fn signal_insert(
        &mut self,
        run_key: RunKey,
        name: &str,
        key: Option<&str>,
        payload: &str,
        now_ms: i64,
    ) -> Result<()>;
    /// Returns what a signal says.
    fn signal_payload(&mut self, signal_key: i64) -> Result<String>;
    /// Takes a signal for the await that is recorded under this name and occurrence.
    fn signal_take(
        &mut self,
        signal_key: i64,
        run_key: RunKey,
        name: &str,
        occurrence: u32,
    ) -> Result<()>;
    /// Notes that a task waits for something: with a count, that so many must come before it counts
    /// as one of those that must all come; with 0, that the first wakes the task.
    fn wait_insert(&mut self, run_key: RunKey, target: &Target, count: u32) -> Result<()>;
    /// Returns the moment that a task waits for beside other things.
    fn wait_time(&mut self, run_key: RunKey) -> Result<Option<i64>>;
    /// Notes that one of something has come: drops the waits that this ends and returns who waited,
    /// and whether counted.
    fn waits_take(&mut self, target_of: RunKey, target: &Target) -> Result<Vec<(RunKey, bool)>>;
    /// Returns up to `limit` of what a parked task waits for.
    fn waits(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Waiting>>;
}
