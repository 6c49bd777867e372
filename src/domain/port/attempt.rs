//! What a backend gives to attempts that have ended.

use super::run::RunKey;
use crate::error::Result;

/// How an attempt ended; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With a result.
    Completed = 1,
    /// For good, with an error.
    Failed = 2,
    /// With an error; the run will be tried again.
    Retried = 3,
    /// Given back by its worker or by the close of its store.
    Released = 4,
    /// Parked on what it waits for.
    Suspended = 5,
    /// Its lease lapsed or its owner died.
    Lost = 6,
    /// The run was cancelled.
    Cancelled = 7,
    /// The run's time-out passed.
    TimedOut = 8,
}

/// One row of the table of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAttempt {
    /// Number of the attempt.
    pub number: u32,
    /// How it ended.
    pub ended: Ended,
    /// Who ran it.
    pub worker: Option<String>,
    /// When it was claimed.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: i64,
    /// JSON of what went wrong.
    pub error: Option<String>,
}

/// Attempts that have ended.
pub trait AttemptPort {
    /// Writes the row of an ended attempt.
    fn attempt_insert(&mut self, run_key: RunKey, attempt: &EndedAttempt) -> Result<()>;
    /// Returns when the newest attempts of open runs ended, where they did, in any order.
    fn attempts_left(&mut self, run_keys: &[RunKey]) -> Result<Vec<(RunKey, i64)>>;
    /// Returns the row of an ended attempt.
    fn attempt_ended(&mut self, run_key: RunKey, number: u32) -> Result<Option<EndedAttempt>>;
}
