//! What a backend gives to the question why a run does not move.

use super::run::{LaneKey, OwnerKey, RunKey};
use super::stats::{HeldRow, OwnerRow};
use super::step::StepKind;
use super::task::Task;
use crate::error::Result;

/// A lane of a queue, and what is the first to be claimed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// Key.
    pub lane_key: LaneKey,
    /// Workflow.
    pub workflow: String,
    /// '' when none was named.
    pub code_version: String,
    /// 0, the only owner that may claim, or less for one that is gone.
    pub owner_key: OwnerKey,
    /// When a run of it was last claimed; up to [`crate::limits::CLAIM_NOTED_MS`] behind.
    pub claimed_at_ms: Option<i64>,
    /// Its first ready run: priority, due time, key.
    pub head: Option<(i64, i64, RunKey)>,
}

/// A record that is asked again at some moment: a sleep, a time-out, a step that backs off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRecord {
    /// Name space.
    pub kind: StepKind,
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// It backs off, and has not just been asked.
    pub backs_off: bool,
    /// JSON of what its last try failed with.
    pub error: Option<String>,
}

/// Looking why a run does not move.
pub trait ExplainPort {
    /// Returns up to `limit` lanes of a queue, in the order of their names, and one that is asked for.
    fn lane_heads(&mut self, queue: &str, own: LaneKey, limit: u32) -> Result<Vec<LaneHead>>;
    /// Returns how many ready runs of a lane stand before a task in the order of claims, no more than
    /// `limit`.
    fn ready_before(&mut self, lane_key: LaneKey, task: &Task, limit: u32) -> Result<u32>;
    /// Returns how many runs of a task's lane that share its concurrency key and are held back stand
    /// before it, no more than `limit`.
    fn blocked_before(&mut self, task: &Task, limit: u32) -> Result<u32>;
    /// Returns up to `limit` runs of a queue that attempts hold, or those of them behind a gate.
    fn held_in(&mut self, queue: &str, gate: Option<&str>, limit: u32) -> Result<Vec<HeldRow>>;
    /// Returns the record of a run that is asked again at this moment, a step before others.
    fn record_due(&mut self, run_key: RunKey, at_ms: i64) -> Result<Option<PendingRecord>>;
    /// Returns an owner.
    fn owner(&mut self, owner_key: OwnerKey) -> Result<Option<OwnerRow>>;
}
