//! What a backend gives to runs: their rows, and the lanes they queue in.

use crate::domain::backoff::Backoff;
use crate::error::Result;
use crate::id::Id;

/// Key of a run, and of its task: a growing integer inside the file.
pub type RunKey = i64;

/// Key of a lane: one (queue, workflow, code version, owner).
pub type LaneKey = i64;

/// Key of an owner: one open store handle that has claimed.
pub type OwnerKey = i64;

/// Names of a lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Queue.
    pub queue: String,
    /// Workflow.
    pub workflow: String,
    /// Code version, '' when none was named.
    pub code_version: String,
    /// 0, or the only owner that may claim.
    pub owner_key: OwnerKey,
}

/// How a run ended; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a result.
    Completed = 1,
    /// With an error.
    Failed = 2,
    /// By a cancel.
    Cancelled = 3,
}

/// What a host asks for when it submits a run; 0 and `None` are the defaults.
#[derive(Debug, Clone, Default)]
pub struct Submit {
    /// Name of the host's function.
    pub workflow: String,
    /// Queue; "default" if `None`.
    pub queue: Option<String>,
    /// JSON; `null` if `None`.
    pub args: Option<String>,
    /// Unix milliseconds before which it is not claimed.
    pub run_at_ms: i64,
    /// Milliseconds from max(now, run_at_ms) after which the run fails.
    pub timeout_ms: i64,
    /// Milliseconds before the second try.
    pub backoff_initial_ms: i64,
    /// Milliseconds between two tries at most.
    pub backoff_max_ms: i64,
    /// Lower goes first.
    pub priority: i32,
    /// Tries before the run fails.
    pub max_tries: u32,
    /// Growth of the backoff, in percent, from 100.
    pub backoff_percent: u32,
    /// One run is made per (scope, key).
    pub idempotency_key: Option<String>,
    /// Scope of the key; "" if `None`.
    pub idempotency_scope: Option<String>,
    /// Gate that the run shares with others of its queue.
    pub concurrency_key: Option<String>,
    /// Version of the code that may run it.
    pub code_version: Option<String>,
    /// JSON object `{unit: limit}`.
    pub budget: Option<String>,
    /// JSON object of the host's own.
    pub metadata: Option<String>,
    /// Only the submitting handle may claim it while that is open.
    pub is_local: bool,
}

impl Submit {
    /// Returns scope and key under which one run is made.
    pub fn idempotency(&self) -> Option<(&str, &str)> {
        let scope = self.idempotency_scope.as_deref().unwrap_or_default();
        self.idempotency_key.as_deref().map(|key| (scope, key))
    }
}

/// What a child takes from the run that submits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its key.
    pub run_key: RunKey,
    /// Key of the topmost run.
    pub root_key: RunKey,
    /// Its queue.
    pub queue: String,
}

/// What the end of an attempt must know of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPolicy {
    /// Tries before the run fails.
    pub max_tries: u32,
    /// How tries are spaced.
    pub backoff: Backoff,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub finished_at_ms: i64,
    /// Attempts it took.
    pub attempts: u32,
    /// Tries it used.
    pub tries: u32,
    /// JSON, for a completed run.
    pub result: Option<String>,
    /// JSON, for a failed or cancelled run.
    pub error: Option<String>,
}

/// Finding runs, and how they ended.
pub trait RunPort {
    /// Returns the run with this idempotency scope and key, and its workflow.
    fn run_by_idempotency(&mut self, scope: &str, key: &str) -> Result<Option<(Id, String)>>;
    /// Returns the key of a run.
    fn run_by_id(&mut self, run_id: Id) -> Result<Option<RunKey>>;
    /// Returns what children of a run take from it.
    fn lineage(&mut self, run_key: RunKey) -> Result<Parent>;
    /// Returns how often and how a run is tried.
    fn run_policy(&mut self, run_key: RunKey) -> Result<RunPolicy>;
    /// Returns how a run ended, if it did.
    fn run_end(&mut self, run_key: RunKey) -> Result<Option<RunEnd>>;
    /// Deletes the task and writes how the run ended.
    fn run_finish(&mut self, run_key: RunKey, end: &RunEnd) -> Result<()>;
}
