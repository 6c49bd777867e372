//! What a backend gives to claims: lanes and what is ready in them, owners and their leases.

use super::queue::QueueLimits;
use super::run::{LaneKey, OwnerKey, RunKey};
use super::task::{NewLease, Taken, Woken};
use crate::error::Result;
use crate::id::Id;

/// What a claimer looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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

/// What tells one owner from another, and by what its backend finds out whether it lives. The backend
/// gives it, and it alone reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerId([u8; OwnerId::LEN]);

impl OwnerId {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Makes an id of what its backend puts into it.
    pub const fn from_bytes(bytes: [u8; OwnerId::LEN]) -> OwnerId {
        OwnerId(bytes)
    }

    /// Returns what its backend has put into it.
    pub const fn to_bytes(self) -> [u8; OwnerId::LEN] {
        self.0
    }
}

/// An owner as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Key.
    pub owner_key: OwnerKey,
    /// Which one it is.
    pub id: OwnerId,
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
    /// When a run of its lane was last noted as claimed.
    pub lane_claimed_at_ms: Option<i64>,
    /// Whether steps may stand recorded from earlier attempts.
    pub has_history: bool,
}

/// What moves by itself, and when; and how a queue stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// When the next delayed or waiting task wakes.
    pub next_wake_at_ms: Option<i64>,
    /// When the next time-out passes.
    pub next_deadline_at_ms: Option<i64>,
    /// When the next schedule is to be looked at.
    pub next_schedule_at_ms: Option<i64>,
    /// When more of those who wait for room in a budget are woken.
    pub next_room_at_ms: Option<i64>,
    /// When what the policy of retention does not keep is looked for.
    pub next_retention_at_ms: Option<i64>,
    /// When the first lease ends, on the lease clock.
    pub next_lapse_ms: Option<i64>,
    /// The children of some run are to be ended.
    pub has_cascades: bool,
    /// All owners in the file.
    pub owners: Vec<Owner>,
    /// The queue's limits and how many of its runs hold the fence; `None` for one never set.
    pub limits: Option<(QueueLimits, u32)>,
}

/// How much a claim takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// At most so many runs.
    pub runs: usize,
    /// No more once their args have so many bytes.
    pub bytes: usize,
}

/// A run that a claimer has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its key.
    pub run_key: RunKey,
    /// Its task.
    pub taken: Taken,
    /// What its claimer is told.
    pub run: ClaimedRun,
}

/// A run whose attempt is gone, as it seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Its key.
    pub run_key: RunKey,
    /// Who holds it.
    pub owner_key: OwnerKey,
}

/// Claiming runs, and taking back those of claimers that are gone.
pub trait ClaimPort {
    /// Returns what moves by itself, and how a queue stands.
    fn standing(&mut self, queue: &str) -> Result<Standing>;
    /// Gives ready tasks of the lanes that match to a claimer, in their order, and stops behind one that
    /// stands at a gate: what is ready after it is for the domain to say.
    fn claim_heads(
        &mut self,
        filter: &LaneFilter,
        lease: &NewLease,
        share: Share,
    ) -> Result<Vec<Head>>;
    /// Returns the first ready task of the lanes that match, for a claim that must look at each.
    fn ready_head(&mut self, filter: &LaneFilter) -> Result<Option<RunKey>>;
    /// Returns whether one is ready, and how its queue is limited.
    fn ready_and_limits(
        &mut self,
        filter: &LaneFilter,
    ) -> Result<(bool, Option<(QueueLimits, u32)>)>;
    /// Returns whether one is ready, and what [`ClaimPort::standing`] does.
    fn ready_and_standing(&mut self, filter: &LaneFilter) -> Result<(bool, Standing)>;
    /// Gives that task to a claimer.
    fn claim_one(&mut self, run_key: RunKey, lease: &NewLease) -> Result<Head>;
    /// Wakes up to `limit` tasks whose wake time has come, earliest first: ready, due when they were to
    /// wake or when they were parked, if that is later, they wait for nothing more.
    fn wake_due(&mut self, now_ms: i64, limit: u32) -> Result<Woken>;
    /// Returns up to `limit` tasks whose time-out has passed, earliest first.
    fn overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<RunKey>>;
    /// Returns up to `limit` runs whose lease ended at or before `now_lease_ms`, and runs of the dead, by
    /// owner.
    fn lost(&mut self, now_lease_ms: i64, dead: &[OwnerKey], limit: u32) -> Result<Vec<Lost>>;
    /// Returns the key of an owner's row, by its mark, written now if it has none.
    fn owner_make(&mut self, owner: &Owner, opened_at_ms: i64) -> Result<OwnerKey>;
    /// Forgets an owner.
    fn owner_delete(&mut self, owner_key: OwnerKey) -> Result<()>;
    /// Returns up to `limit` lanes that are for this owner alone.
    fn lanes_of(&mut self, owner_key: OwnerKey, limit: u32) -> Result<Vec<LaneKey>>;
    /// Returns the lane of the same names that is open to every claimer. Runs name it: where there is none,
    /// nothing stands in the lane. That one then knows when this one was last claimed from.
    fn lane_open_to_all(&mut self, lane_key: LaneKey) -> Result<Option<LaneKey>>;
    /// Deletes a lane of one owner, in which nothing stands any more.
    fn lane_delete(&mut self, lane_key: LaneKey) -> Result<()>;
}
