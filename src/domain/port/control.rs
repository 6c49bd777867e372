//! What a backend gives to those who act on runs from outside: cancels, pauses, retries, forks.

use super::run::RunKey;
use super::step::StepKind;
use super::task::Task;
use crate::error::Result;
use crate::id::Id;

/// What names a record of a run, and where it stands among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepName {
    /// Key: grows in the order of recording.
    pub step_key: i64,
    /// Name space.
    pub kind: StepKind,
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
}

/// A run above another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ancestor {
    /// Its key.
    pub run_key: RunKey,
    /// Its children are being ended, and the one below it was not seen to yet.
    pub is_ending_it: bool,
}

/// Ending runs early, and bringing them back.
pub trait ControlPort {
    /// Notes that the children of runs are to be ended, from the first on.
    fn cascades_insert(&mut self, run_keys: &[RunKey]) -> Result<()>;
    /// Returns up to `limit` runs whose children are to be ended, with how far that went.
    fn cascades(&mut self, limit: u32) -> Result<Vec<(RunKey, RunKey)>>;
    /// Notes how far it went; `None` when all are seen to.
    fn cascade_set(&mut self, run_key: RunKey, after_key: Option<RunKey>) -> Result<()>;
    /// Returns up to `limit` children above `after_key`, and whether they are open.
    fn children_after(
        &mut self,
        run_key: RunKey,
        after_key: RunKey,
        limit: u32,
    ) -> Result<Vec<(RunKey, bool)>>;
    /// Returns up to `limit` runs above a run, the nearest first, up to the first that is ending the one
    /// below it.
    fn ancestry(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Ancestor>>;
    /// Writes what becomes the error of a run that is to end as cancelled.
    fn run_set_error(&mut self, run_key: RunKey, error: &str) -> Result<()>;
    /// Makes a run that ended after so many attempts open again, but for its task: memoised failures
    /// are gone, what it ended with is kept by its last attempt.
    fn run_reopen(&mut self, run_key: RunKey, attempts: u32) -> Result<()>;
    /// Returns what a task of this run looks like before its first claim, in a lane that is open to
    /// every claimer.
    fn task_of_run(&mut self, run_key: RunKey, now_ms: i64) -> Result<Task>;
    /// Copies a run's row under a new id, open, without its parent and its idempotency key.
    fn run_copy(&mut self, run_key: RunKey, run_id: Id, now_ms: i64) -> Result<RunKey>;
    /// Returns up to `limit` runs that a run goes back to: the one it was forked from first.
    fn origins(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<RunKey>>;
    /// Returns the first record of a name in a run, steps first.
    fn step_named(&mut self, run_key: RunKey, name: &str) -> Result<Option<i64>>;
    /// Returns up to `limit` names of records after `after`, by name space, name and occurrence.
    fn step_names_after(
        &mut self,
        run_key: RunKey,
        after: Option<&StepName>,
        limit: u32,
    ) -> Result<Vec<StepName>>;
    /// Copies the finished records of a run that stand before one of them.
    fn steps_copy(&mut self, from: RunKey, to: RunKey, before_step: i64) -> Result<()>;
}
