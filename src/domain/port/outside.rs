//! What a backend gives to those who act on runs from outside: cancels, forks, limits of queues.

use super::{LaneKey, RunKey, StepKind, Task};
use crate::error::Result;
use crate::id::Id;

/// What names a record of a run, and where it stands among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepName {
    /// Place: grows in the order of recording.
    pub place: i64,
    /// Name space.
    pub kind: StepKind,
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
}

/// Ending runs early, and bringing them back.
pub trait ControlPort {
    /// Notes that a running task is to end as cancelled; `reason` becomes the run's error.
    fn task_ask_cancel(&mut self, run_key: RunKey, error: &str) -> Result<()>;
    /// Notes or takes back that a running task is to pause.
    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()>;
    /// Sets the state, wake time and due time of a task that nobody runs, and drops its waits.
    fn task_set_aside(&mut self, task: &Task) -> Result<()>;
    /// Notes that the children of a run are to be ended, from the first on.
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
    /// Returns the run that submitted a run, and whether that one's children are being ended and this
    /// one was not seen to yet.
    fn parent(&mut self, run_key: RunKey) -> Result<Option<(RunKey, bool)>>;
    /// Makes an ended run open again: its task is as given, memoised failures are gone.
    fn run_reopen(&mut self, run_key: RunKey, task: &Task) -> Result<()>;
    /// Returns what a task of this run looks like before its first claim, in a lane that is open to
    /// every claimer.
    fn task_of_run(&mut self, run_key: RunKey, now_ms: i64) -> Result<Task>;
    /// Copies a run's row under a new id, open, without its parent and its idempotency key.
    fn run_copy(&mut self, run_key: RunKey, run_id: Id, now_ms: i64) -> Result<RunKey>;
    /// Returns the run that a run was forked from.
    fn forked_from(&mut self, run_key: RunKey) -> Result<Option<RunKey>>;
    /// Returns where the first occurrence of a name stands among the records of a run, steps first.
    fn step_place(&mut self, run_key: RunKey, name: &str) -> Result<Option<i64>>;
    /// Returns up to `limit` names of records after `place`, in the order of recording.
    fn step_names_after(
        &mut self,
        run_key: RunKey,
        place: i64,
        limit: u32,
    ) -> Result<Vec<StepName>>;
    /// Copies the finished records of a run that stand before a place.
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

/// A gate as tasks of one lane stand at it: the first alone is ready, while the gate has room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatePlace {
    /// Lane.
    pub lane_key: LaneKey,
    /// Concurrency key.
    pub gate: String,
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
    /// Returns how many more runs may hold the fence behind a gate; `u32::MAX` without a limit.
    fn gate_room(&mut self, place: &GatePlace) -> Result<u32>;
    /// Keeps the first `count`, 0 or 1, of the ready tasks at a gate in a lane and holds the others back.
    fn gate_keep(&mut self, place: &GatePlace, count: u32) -> Result<()>;
    /// Lets in the first task that is held back at a gate in a lane, unless one is ready there.
    fn gate_let_in(&mut self, place: &GatePlace) -> Result<()>;
    /// Returns the first lane of a queue above `place` in which tasks are ready at a gate, or held back.
    fn gate_lane_after(
        &mut self,
        queue: &str,
        place: &GatePlace,
        is_ready: bool,
    ) -> Result<Option<LaneKey>>;
    /// Returns up to `limit` gates of a queue above `after` behind which runs hold the fence.
    fn gates_after(&mut self, queue: &str, after: &str, limit: u32) -> Result<Vec<String>>;
    /// Notes that a ready task of a lane is ready no more.
    fn lane_left(&mut self, lane_key: LaneKey) -> Result<()>;
}
