//! What a backend gives to those who act on runs from outside: cancels, forks, limits of queues.

use super::{LaneKey, RunKey, Task};
use crate::error::Result;
use crate::id::Id;

/// Ending runs early, and bringing them back.
pub trait ControlPort {
    /// Notes that a running task is to end as cancelled; `reason` becomes the run's error.
    fn task_ask_cancel(&mut self, run_key: RunKey, error: &str) -> Result<()>;
    /// Notes or takes back that a running task is to pause.
    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()>;
    /// Sets the state, wake time and due time of a task that nobody runs, and drops its waits.
    fn task_set_aside(&mut self, task: &Task) -> Result<()>;
    /// Notes that the children of an ended run are to be ended.
    fn cascade_insert(&mut self, run_key: RunKey) -> Result<()>;
    /// Returns up to `limit` runs whose children are to be ended, with how far that went.
    fn cascades(&mut self, limit: u32) -> Result<Vec<(RunKey, RunKey)>>;
    /// Notes how far it went; `None` when all are seen to.
    fn cascade_set(&mut self, run_key: RunKey, after_key: Option<RunKey>) -> Result<()>;
    /// Returns up to `limit` children above `after_key`, whether open or not.
    fn children_after(
        &mut self,
        run_key: RunKey,
        after_key: RunKey,
        limit: u32,
    ) -> Result<Vec<RunKey>>;
    /// Returns the run that submitted a run, and whether that one was cancelled or is to be.
    fn parent(&mut self, run_key: RunKey) -> Result<Option<(RunKey, bool)>>;
    /// Makes an ended run open again: its task is as given, memoised failures are gone.
    fn run_reopen(&mut self, run_key: RunKey, task: &Task) -> Result<()>;
    /// Returns what a task of this run looks like before its first claim.
    fn task_of_run(&mut self, run_key: RunKey, now_ms: i64) -> Result<Task>;
    /// Copies a run's row under a new id, open, without its parent and its idempotency key.
    fn run_copy(&mut self, run_key: RunKey, run_id: Id, now_ms: i64) -> Result<RunKey>;
    /// Copies the finished records of a run that were written before a step.
    fn steps_copy(&mut self, from: RunKey, to: RunKey, before_step: i64) -> Result<()>;
}

/// The limits of a queue that was set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// Runs that may hold the fence at once.
    pub concurrency: Option<u32>,
    /// The same for each concurrency key.
    pub concurrency_per_key: Option<u32>,
    /// Nothing is claimed.
    pub is_paused: bool,
}

/// Limits of queues.
pub trait QueuePort {
    /// Returns a queue's limits and how many of its runs hold the fence; `None` for one never set.
    fn queue(&mut self, queue: &str) -> Result<Option<(QueueLimits, u32)>>;
    /// Writes a queue's limits, counting anew what runs in it and behind each of its gates.
    fn queue_set(&mut self, queue: &str, limits: &QueueLimits) -> Result<()>;
    /// Returns how many runs behind a gate hold the fence.
    fn gate_running(&mut self, queue: &str, gate: &str) -> Result<u32>;
    /// Counts a run that begins to hold the fence.
    fn running_add(&mut self, queue: &str, gate: Option<&str>) -> Result<()>;
    /// Counts a run that ceases to; returns its queue when that was set.
    fn running_remove(&mut self, lane_key: LaneKey, gate: Option<&str>) -> Result<Option<String>>;
    /// Holds a ready task back behind its gate.
    fn task_block(&mut self, run_key: RunKey) -> Result<()>;
    /// Lets in up to `limit` tasks that a queue's gates, or one of them, held back; returns how many.
    fn unblock(&mut self, queue: &str, gate: Option<&str>, limit: u32) -> Result<u32>;
}
