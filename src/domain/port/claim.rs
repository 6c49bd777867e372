//! What a backend gives to claims: lanes and what is ready in them, owners and their leases.

use super::run::{LaneKey, OwnerKey, RunKey};
use crate::error::Result;
use crate::id::Id;

/// What a claimer looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneFilter {
    /// Queue.
    pub queue: String,
    /// Claimer, for lanes that are its own; 0 when it has none yet.
    pub owner_key: OwnerKey,
    /// Workflows, or all.
    pub workflows: Option<Vec<String>>,
    /// Code versions beside runs without one, or all.
    pub code_versions: Option<Vec<String>>,
}

/// An owner as the file knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Key.
    pub owner_key: OwnerKey,
    /// Where its lock is.
    pub mark: u64,
    /// Boot of the machine it runs in.
    pub boot: [u8; 16],
    /// Its process.
    pub pid: u32,
}

/// What a claimer is told of the run it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedRun {
    /// Public id.
    pub run_id: Id,
    /// Public id of the topmost run.
    pub root_run_id: Id,
    /// Public id of the run that submitted it.
    pub parent_run_id: Option<Id>,
    /// Its workflow.
    pub workflow: String,
    /// The version of the code that it was submitted for.
    pub code_version: Option<String>,
    /// JSON.
    pub args: String,
    /// JSON.
    pub metadata: Option<String>,
    /// Whether steps may stand recorded from earlier attempts.
    pub has_history: bool,
}

/// Claiming runs, and taking back those of claimers that are gone.
pub trait ClaimPort {
    /// Returns the first ready task of the lanes that match.
    fn ready_head(&mut self, filter: &LaneFilter) -> Result<Option<RunKey>>;
    /// Returns when the next delayed or waiting task wakes.
    fn next_wake_at_ms(&mut self) -> Result<Option<i64>>;
    /// Returns when the next time-out passes.
    fn next_deadline_at_ms(&mut self) -> Result<Option<i64>>;
    /// Returns up to `limit` tasks whose wake time has come, with that time, earliest first.
    fn woken(&mut self, now_ms: i64, limit: u32) -> Result<Vec<(RunKey, i64)>>;
    /// Returns up to `limit` tasks whose time-out has passed, earliest first.
    fn overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<RunKey>>;
    /// Returns all owners in the file.
    fn owners(&mut self) -> Result<Vec<Owner>>;
    /// Returns when the first lease of an owner ends, on the lease clock.
    fn first_lease_end(&mut self, owner_key: OwnerKey) -> Result<Option<i64>>;
    /// Returns up to `limit` tasks of an owner whose lease ended at or before `until_ms`.
    fn leased(&mut self, owner_key: OwnerKey, until_ms: i64, limit: u32) -> Result<Vec<RunKey>>;
    /// Writes an owner.
    fn owner_insert(&mut self, owner: &Owner, opened_at_ms: i64) -> Result<OwnerKey>;
    /// Forgets an owner.
    fn owner_delete(&mut self, owner_key: OwnerKey) -> Result<()>;
    /// Returns up to `limit` lanes that are for this owner alone.
    fn lanes_of(&mut self, owner_key: OwnerKey, limit: u32) -> Result<Vec<LaneKey>>;
    /// Returns the lane of the same names that is open to every claimer, made now if it is new.
    fn lane_open_to_all(&mut self, lane_key: LaneKey) -> Result<LaneKey>;
    /// Takes a lane out of what claims look at; runs go on to name it.
    fn lane_retire(&mut self, lane_key: LaneKey) -> Result<()>;
    /// Returns what a claimer is told.
    fn claimed_run(&mut self, run_key: RunKey) -> Result<ClaimedRun>;
}
