//! What a backend gives to submits: runs are written together with their tasks.

use super::run::{Lane, LaneKey, Parent, RunKey, Submit};
use super::task::Task;
use crate::error::Result;
use crate::id::Id;

/// A run as it is first written.
#[derive(Debug, Clone)]
pub struct NewRun<'run> {
    /// Public id.
    pub run_id: Id,
    /// Lane it queues in, made now if it is new.
    pub lane: Lane,
    /// Its task, but for its keys.
    pub task: Task,
    /// Run that submits it.
    pub parent: Option<&'run Parent>,
    /// When it is submitted.
    pub created_at_ms: i64,
    /// What it was submitted with; of that 0 and `None` are stored as not given.
    pub submit: &'run Submit,
}

/// What came of writing a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It was written, with its task.
    New(RunKey, LaneKey),
    /// Its idempotency scope and key have made this run, of this workflow.
    Known(Id, String),
}

/// Submitting runs.
pub trait SubmitPort {
    /// Writes runs and their tasks in their order, each unless its idempotency key has made one before.
    fn runs_insert(&mut self, runs: &[NewRun<'_>]) -> Result<Vec<Inserted>>;
}
