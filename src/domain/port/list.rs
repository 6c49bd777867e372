//! What a backend gives to lists: which runs there are of a kind, page by page.

use super::query::RunRow;
use super::run::RunKey;
use crate::error::Result;

/// A run's state as users see it; the numbers are bits of [`RunStates`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Not claimed yet, or again.
    Pending = 0,
    /// An attempt holds it.
    Running = 1,
    /// Parked on what it waits for.
    Waiting = 2,
    /// Set aside.
    Paused = 3,
    /// Ended with a result.
    Completed = 4,
    /// Ended with an error.
    Failed = 5,
    /// Ended by a cancel.
    Cancelled = 6,
}

impl RunState {
    /// All of them.
    pub const ALL: [RunState; 7] = [
        RunState::Pending,
        RunState::Running,
        RunState::Waiting,
        RunState::Paused,
        RunState::Completed,
        RunState::Failed,
        RunState::Cancelled,
    ];
    /// Those of open runs.
    pub const OPEN: [RunState; 4] =
        [RunState::Pending, RunState::Running, RunState::Waiting, RunState::Paused];

    /// Returns its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            RunState::Pending => "pending",
            RunState::Running => "running",
            RunState::Waiting => "waiting",
            RunState::Paused => "paused",
            RunState::Completed => "completed",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
        }
    }
}

/// Some of the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunStates(u8);

impl RunStates {
    /// Every state.
    pub const ANY: RunStates = RunStates(0b111_1111);

    /// These states.
    pub fn of(states: &[RunState]) -> RunStates {
        RunStates(states.iter().fold(0, |bits, state| bits | 1 << *state as u8))
    }

    /// Returns whether a state is one of them.
    pub fn has(self, state: RunState) -> bool {
        self.0 >> state as u8 & 1 != 0
    }

    /// Returns those that are in both.
    #[must_use]
    pub fn both(self, other: RunStates) -> RunStates {
        RunStates(self.0 & other.0)
    }

    /// Returns a bit for each, the first state's lowest.
    pub fn bits(self) -> u8 {
        self.0
    }
}

/// A span of time, half open: from this instant, to before that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Unix milliseconds.
    pub to_ms: Option<i64>,
}

impl Span {
    /// Returns whether it leaves nothing out.
    pub fn is_whole(&self) -> bool {
        self.from_ms.is_none() && self.to_ms.is_none()
    }
}

/// Which runs are meant: those of which all that is named is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    /// In one of these states.
    pub states: RunStates,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Submitted for this version of the code.
    pub code_version: Option<String>,
    /// Whose newest attempt is of this worker.
    pub worker: Option<String>,
    /// Submitted by this run.
    pub parent_key: Option<RunKey>,
    /// In the tree of this run.
    pub root_key: Option<RunKey>,
    /// Submitted by no run.
    pub is_roots_only: bool,
    /// When it was submitted.
    pub created: Span,
    /// When it ended; one that names anything leaves open runs out.
    pub finished: Span,
    /// Members of the metadata, as [`crate::domain::metadata::members`] writes them.
    pub metadata: Vec<String>,
    /// Idempotency scope.
    pub idempotency_scope: Option<String>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// Part of the error, or of an open run's last.
    pub error_contains: Option<String>,
    /// Whether a running attempt was told to end.
    pub is_cancel_asked: Option<bool>,
    /// Whether a running attempt was told to yield, or the run is set aside.
    pub is_pause_asked: Option<bool>,
}

impl Default for RunFilter {
    fn default() -> RunFilter {
        RunFilter {
            states: RunStates::ANY,
            workflow: None,
            queue: None,
            code_version: None,
            worker: None,
            parent_key: None,
            root_key: None,
            is_roots_only: false,
            created: Span::default(),
            finished: Span::default(),
            metadata: Vec::new(),
            idempotency_scope: None,
            idempotency_key: None,
            error_contains: None,
            is_cancel_asked: None,
            is_pause_asked: None,
        }
    }
}

/// In which order runs are gone through: that of submission, or against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The last submitted first.
    #[default]
    Newest,
    /// The first submitted first.
    Oldest,
}

/// How far to go through the runs of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// In which order.
    pub order: Order,
    /// The run that was looked at last; `None` to begin.
    pub after: Option<RunKey>,
    /// Runs to find at most.
    pub found_max: u32,
    /// Runs to look at, about.
    pub looks_max: u32,
}

/// What was found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In the order of the walk.
    pub run_keys: Vec<RunKey>,
    /// Runs that were looked at.
    pub looked_at: u32,
    /// The run that was looked at last; `None` when there are no more.
    pub after: Option<RunKey>,
}

/// What of a run is large and shown where it is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Include {
    /// What it was submitted with.
    pub args: bool,
    /// What it ended with.
    pub result: bool,
    /// What it failed with, or last.
    pub error: bool,
    /// The host's own.
    pub metadata: bool,
    /// What it waits for.
    pub waiting_for: bool,
}

impl Include {
    /// All of it.
    pub const ALL: Include =
        Include { args: true, result: true, error: true, metadata: true, waiting_for: true };
}

/// Finding runs by what they are.
pub trait ListPort {
    /// Goes on through the runs and returns those that the filter means.
    fn runs_found(&mut self, filter: &RunFilter, walk: &Walk) -> Result<Found>;
    /// Returns the rows of runs in the order of asking, but for those that are gone, and none after those
    /// whose payloads have `bytes` together; what is large only where it is asked for.
    fn runs_shown(
        &mut self,
        run_keys: &[RunKey],
        include: Include,
        bytes: usize,
    ) -> Result<Vec<RunRow>>;
    /// Writes a run's metadata in the place of what it was.
    fn metadata_set(&mut self, run_key: RunKey, before: Option<&str>, metadata: &str)
    -> Result<()>;
    /// Returns what tells this store from any other, and from a copy of it.
    fn store_name(&mut self) -> Result<String>;
}
