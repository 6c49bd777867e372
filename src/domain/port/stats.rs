//! What a backend gives to whoever looks at a store as a whole: its lanes, what stands in them, who
//! works, and how large its file is.

use super::claim::Owner;
use super::queue::QueueLimits;
use super::run::{LaneKey, Outcome, OwnerKey, RunKey};
use super::task::TaskState;
use crate::error::Result;
use crate::id::Id;

/// A lane as those who look see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Key.
    pub lane_key: LaneKey,
    /// Queue.
    pub queue: String,
    /// Workflow.
    pub workflow: String,
    /// '' when none was named.
    pub code_version: String,
    /// 0, the only owner that may claim, or less for one that is gone.
    pub owner_key: OwnerKey,
    /// When a run of it was last claimed; up to [`crate::limits::CLAIM_NOTED_MS`] behind.
    pub claimed_at_ms: Option<i64>,
    /// Runs of it may be ready; none is where this is false.
    pub may_be_ready: bool,
}

/// A run that an attempt holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Key of the run.
    pub run_key: RunKey,
    /// Lane it was claimed from.
    pub lane_key: LaneKey,
    /// Who holds it.
    pub owner_key: OwnerKey,
    /// Its concurrency key.
    pub gate: Option<String>,
    /// Since when.
    pub claimed_at_ms: i64,
    /// As the worker named itself.
    pub worker: Option<String>,
}

/// An owner as those who look see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerRow {
    /// Which one it is.
    pub owner: Owner,
    /// Its process.
    pub pid: u32,
    /// When it first claimed.
    pub opened_at_ms: i64,
}

/// A gate behind which as many runs hold the fence as may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullGate {
    /// Queue.
    pub queue: String,
    /// Concurrency key.
    pub gate: String,
    /// How many may.
    pub limit: u32,
    /// How many do.
    pub running: u32,
}

/// How large a store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Pages of the database.
    pub pages: u64,
    /// Those of them that hold nothing.
    pub free_pages: u64,
    /// Bytes of the log beside it.
    pub log_bytes: u64,
}

/// What the writes of one call have come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// Function of the C ABI.
    pub name: &'static str,
    /// Writes.
    pub writes: u64,
    /// How many microseconds their work took within transactions, in sum.
    pub took_us: u64,
    /// And that of the longest.
    pub longest_us: u64,
}

/// What the writer of this process has done since it opened the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterFacts {
    /// Commits.
    pub commits: u64,
    /// Writes that they carried.
    pub writes: u64,
    /// Writes in the largest of them.
    pub largest_batch: u64,
    /// Commits of 1, of 2 to 7, of 8 to 63, and of 64 writes or more.
    pub batches: [u64; 4],
    /// Syncs made for them.
    pub syncs: u64,
    /// Commits that another process' sync covered.
    pub syncs_shared: u64,
    /// Commits for which another process was waited for.
    pub turn_waits: u64,
    /// How long, in sum.
    pub turn_wait_ms: u64,
    /// Whose the writes were.
    pub calls: Vec<CallFacts>,
}

/// Looking at the store as a whole. Every list and every count stops at `limit`.
pub trait StatsPort {
    /// Returns the lanes in the order of their names.
    fn lane_rows(&mut self, limit: u32) -> Result<Vec<LaneRow>>;
    /// Returns the queues that were set, with how many of their runs hold the fence.
    fn queue_rows(&mut self, limit: u32) -> Result<Vec<(String, QueueLimits, u32)>>;
    /// Returns the gates that are full.
    fn full_gates(&mut self, limit: u32) -> Result<Vec<FullGate>>;
    /// Returns the runs that attempts hold.
    fn held_rows(&mut self, limit: u32) -> Result<Vec<HeldRow>>;
    /// Returns how many of the newest runs in a state that nobody runs and none may claim stand in
    /// which lane.
    fn still_counts(&mut self, state: TaskState, limit: u32) -> Result<Vec<(LaneKey, u32)>>;
    /// Returns how many runs of a lane are ready.
    fn ready_count(&mut self, lane_key: LaneKey, limit: u32) -> Result<u32>;
    /// Returns when the ready run of a lane became due that has been due for longest, among those of
    /// its first `limit` priorities.
    fn ready_since(&mut self, lane_key: LaneKey, limit: u32) -> Result<Option<i64>>;
    /// Returns how many runs have ended so.
    fn outcome_count(&mut self, outcome: Outcome, limit: u32) -> Result<u32>;
    /// Returns how many numbers runs were given, those pruned since in between.
    fn run_span(&mut self) -> Result<u64>;
    /// Returns all owners.
    fn owner_rows(&mut self) -> Result<Vec<OwnerRow>>;
    /// Returns the id of a run.
    fn run_id(&mut self, run_key: RunKey) -> Result<Option<Id>>;
    /// Notes that a run of a lane was claimed.
    fn lanes_claimed(&mut self, lane_keys: &[LaneKey], at_ms: i64) -> Result<()>;
    /// Returns how large the store is.
    fn file_facts(&mut self) -> Result<FileFacts>;
}
