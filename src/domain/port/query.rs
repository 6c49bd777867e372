//! What a backend gives to documents: rows as they are shown.

use super::attempt::EndedAttempt;
use super::run::{LaneKey, Outcome, RunKey};
use super::step::{StepKind, StepRow};
use crate::error::Result;
use crate::id::Id;

/// A run's row as documents need it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Key.
    pub run_key: RunKey,
    /// Public id.
    pub run_id: Id,
    /// Public id of the topmost run.
    pub root_run_id: Id,
    /// Public id of the run that submitted it.
    pub parent_run_id: Option<Id>,
    /// Lane it queues or queued in.
    pub lane_key: LaneKey,
    /// Queue.
    pub queue: String,
    /// Workflow.
    pub workflow: String,
    /// '' when none was named.
    pub code_version: String,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// Lower goes first.
    pub priority: i32,
    /// Tries before it fails, if named.
    pub max_tries: Option<u32>,
    /// Attempts of an ended run.
    pub attempts: Option<u32>,
    /// Tries of an ended run.
    pub tries: Option<u32>,
    /// When it was submitted.
    pub created_at_ms: i64,
    /// When it was to begin, if named.
    pub run_at_ms: Option<i64>,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
    /// JSON.
    pub args: Option<String>,
    /// JSON.
    pub result: Option<String>,
    /// JSON.
    pub error: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
}

/// A signal as histories show it.
#[derive(Debug, Clone)]
pub struct SignalRow {
    /// Key.
    pub signal_key: i64,
    /// Name.
    pub name: String,
    /// JSON; gone once it was taken as one of several.
    pub payload: Option<String>,
    /// When it was sent.
    pub sent_at_ms: i64,
    /// Whether an await has taken it.
    pub is_consumed: bool,
    /// Name and occurrence of that await.
    pub taker: Option<(String, u32)>,
}

/// Reading what documents show.
pub trait QueryPort {
    /// Returns a run's row.
    fn run_row(&mut self, run_id: Id) -> Result<Option<RunRow>>;
    /// Returns up to `limit` ended attempts with a number above `after`, in order.
    fn attempts_after(
        &mut self,
        run_key: RunKey,
        after: u32,
        limit: u32,
    ) -> Result<Vec<EndedAttempt>>;
    /// Returns the newest error that an attempt ended with.
    fn last_error(&mut self, run_key: RunKey) -> Result<Option<String>>;
    /// Returns up to `limit` steps with a key above `after`, in the order they were first recorded, and
    /// none after those whose payloads have `bytes` together.
    fn steps_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<(i64, StepKind, StepRow)>>;
    /// Returns up to `limit` signals with a key above `after`, in the order they were sent, and none after
    /// those whose payloads have `bytes` together.
    fn signals_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<SignalRow>>;
    /// Returns the rows of up to `limit` children with a key above `after`, in the order of their
    /// submission.
    fn child_rows_after(
        &mut self,
        run_key: RunKey,
        after: RunKey,
        limit: u32,
    ) -> Result<Vec<RunRow>>;
}
