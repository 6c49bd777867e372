//! What a backend gives to the limits of queues.

use super::run::LaneKey;
use crate::error::Result;

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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
    /// Counts runs that begin to hold the fence, one of them behind a gate.
    fn running_add(&mut self, queue: &str, count: u32, gate: Option<&str>) -> Result<()>;
    /// Counts a run that ceases to; returns its queue when that was set.
    fn running_remove(&mut self, lane_key: LaneKey, gate: Option<&str>) -> Result<Option<String>>;
    /// Returns how many more runs may hold the fence behind a gate; `u32::MAX` without a limit.
    fn gate_room(&mut self, place: &GatePlace) -> Result<u32>;
    /// Opens or closes gates in every lane of a queue: the first task that is held back there is let in
    /// unless one is ready, or all that are ready are held back.
    fn gates_turn(&mut self, queue: &str, gates: &[(&str, bool)]) -> Result<()>;
    /// Returns up to `limit` gates of a queue above `after` behind which runs hold the fence, and how
    /// many do.
    fn gates_after(&mut self, queue: &str, after: &str, limit: u32) -> Result<Vec<(String, u32)>>;
    /// Returns the queue that a lane belongs to.
    fn queue_of(&mut self, lane_key: LaneKey) -> Result<String>;
    /// Notes that a ready task of a lane is ready no more.
    fn lane_left(&mut self, lane_key: LaneKey) -> Result<()>;
}
