//! What a backend gives the domain: one trait per topic, all over one transaction.
//!
//! Methods read and write rows and do not branch on state: the scripts of this floor decide. Ids and
//! times come in as arguments, a backend invents neither.

mod budget;
mod claiming;
mod event;
mod outside;
mod schedule;
mod waiting;

pub use budget::{
    Amounts, Balance, BudgetPort, Entry, Reservation, ReservationState, SourceKind, Total,
};
pub use claiming::{ClaimPort, LaneFilter, NewLease, Owner, Taken};
pub use event::{EventFilter, EventPort, EventRow};
pub use outside::{ControlPort, GatePlace, QueueLimits, QueuePort, StepName};
pub use schedule::{Schedule, SchedulePort, Zone};
pub use waiting::{ChildState, Letter, Target, WaitPort, Waiting};

use crate::error::Result;
use crate::id::Id;

/// Key of a run, and of its task: a growing integer inside the file.
pub type RunKey = i64;

/// Key of a lane: one (queue, workflow, code version, owner).
pub type LaneKey = i64;

/// Key of an owner: one open store handle that has claimed.
pub type OwnerKey = i64;

/// What the queue knows of an open run's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not due yet: a start date, a backoff, a release with a delay.
    Delayed,
    /// May be claimed.
    Ready,
    /// An attempt holds the fence.
    Running,
    /// Parked until something named comes true.
    Waiting,
    /// Set aside by a person.
    Paused,
    /// Held back by the limit of its concurrency key.
    Blocked,
}

/// How an attempt ended; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With a result.
    Completed = 1,
    /// For good, with an error.
    Failed = 2,
    /// With an error; the run will be tried again.
    Retried = 3,
    /// Given back by its worker or by the close of its store.
    Released = 4,
    /// Parked on what it waits for.
    Suspended = 5,
    /// Its lease lapsed or its owner died.
    Lost = 6,
    /// The run was cancelled.
    Cancelled = 7,
    /// The run's time-out passed.
    TimedOut = 8,
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

/// The hot row of an open run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Key of the run.
    pub run_key: RunKey,
    /// Lane it queues in.
    pub lane_key: LaneKey,
    /// Where it stands.
    pub state: TaskState,
    /// Lower goes first.
    pub priority: i32,
    /// When it became or becomes due, Unix milliseconds.
    pub due_at_ms: i64,
    /// When a delay or timer ends.
    pub wake_at_ms: Option<i64>,
    /// When the run's time-out passes.
    pub deadline_at_ms: Option<i64>,
    /// Number of the newest attempt.
    pub fence: u32,
    /// Tries charged by failures.
    pub failures: u32,
    /// Attempts lost in a row without progress.
    pub losses: u32,
    /// A cancel was asked while it ran.
    pub is_cancel_asked: bool,
    /// Its time-out passed while it ran.
    pub is_timed_out: bool,
    /// A pause was asked while it ran.
    pub is_pause_asked: bool,
    /// It stands in a lane of one owner, which alone may claim it.
    pub is_local: bool,
    /// It was woken because a budget has room, and nobody else for that room.
    pub is_woken_for_room: bool,
    /// Its concurrency key.
    pub gate: Option<String>,
    /// Who runs it.
    pub owner_key: Option<OwnerKey>,
    /// End of the lease, milliseconds awake.
    pub lease_until_up_ms: i64,
    /// Length of the lease; [`LEASE_WHILE_ALIVE`] has no end.
    pub lease_ms: u32,
    /// When the running attempt began.
    pub claimed_at_ms: i64,
    /// Who claimed it, as the worker named itself.
    pub worker: Option<String>,
}

/// The lease length that holds as long as its owner lives.
pub const LEASE_WHILE_ALIVE: u32 = u32::MAX;

impl Task {
    /// Makes the task of a run that nobody has claimed, ready and due since the beginning of time.
    pub fn new(run_key: RunKey, lane_key: LaneKey) -> Task {
        Task {
            run_key,
            lane_key,
            state: TaskState::Ready,
            priority: 0,
            due_at_ms: 0,
            wake_at_ms: None,
            deadline_at_ms: None,
            fence: 0,
            failures: 0,
            losses: 0,
            is_cancel_asked: false,
            is_timed_out: false,
            is_pause_asked: false,
            is_local: false,
            is_woken_for_room: false,
            gate: None,
            owner_key: None,
            lease_until_up_ms: 0,
            lease_ms: 0,
            claimed_at_ms: 0,
            worker: None,
        }
    }

    /// Returns how many tries are used up.
    pub fn tries(&self) -> u32 {
        self.failures.saturating_add(self.losses)
    }

    /// Returns what the hot writes of its attempt must know.
    pub fn hold(&self) -> Hold {
        Hold {
            is_cancel_asked: self.is_cancel_asked,
            is_timed_out: self.is_timed_out,
            deadline_at_ms: self.deadline_at_ms,
            losses: self.losses,
            lease_until_up_ms: self.lease_until_up_ms,
            lease_ms: self.lease_ms,
        }
    }

    /// Returns whether the run must end with its running attempt, whatever that attempt says.
    pub fn must_end(&self, now_ms: i64) -> Option<Ended> {
        self.hold().must_end(now_ms)
    }
}

/// What the hot writes of an attempt must know of its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// A cancel was asked while it ran.
    pub is_cancel_asked: bool,
    /// Its time-out passed while it ran.
    pub is_timed_out: bool,
    /// When the run's time-out passes.
    pub deadline_at_ms: Option<i64>,
    /// Attempts lost in a row without progress.
    pub losses: u32,
    /// End of the lease, milliseconds awake.
    pub lease_until_up_ms: i64,
    /// Length of the lease.
    pub lease_ms: u32,
}

impl Hold {
    /// Returns whether the run must end with its running attempt, whatever that attempt says.
    pub fn must_end(&self, now_ms: i64) -> Option<Ended> {
        if self.is_cancel_asked {
            Some(Ended::Cancelled)
        } else if self.is_timed_out || self.deadline_at_ms.is_some_and(|at| at <= now_ms) {
            Some(Ended::TimedOut)
        } else {
            None
        }
    }
}

/// What identifies a living attempt in every write it makes: the run and the fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Key of the run.
    pub run_key: RunKey,
    /// Number of the attempt.
    pub number: u32,
}

/// A run as it is first written.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// Public id.
    pub run_id: Option<Id>,
    /// Lane it queues in.
    pub lane_key: LaneKey,
    /// Run that submitted it.
    pub parent_key: Option<RunKey>,
    /// Topmost run of its tree, when not itself.
    pub root_key: Option<RunKey>,
    /// When it is submitted.
    pub created_at_ms: i64,
    /// When it is due, if a time was named.
    pub run_at_ms: Option<i64>,
    /// Lower goes first.
    pub priority: i32,
    /// `None` in these five is the default.
    pub max_attempts: Option<u32>,
    /// Milliseconds from max(created, run_at) to its time-out.
    pub timeout_ms: Option<i64>,
    /// See [`crate::domain::Backoff`].
    pub backoff_initial_ms: Option<i64>,
    /// See [`crate::domain::Backoff`].
    pub backoff_max_ms: Option<i64>,
    /// See [`crate::domain::Backoff`].
    pub backoff_percent: Option<u32>,
    /// Key of its gate.
    pub concurrency_key: Option<String>,
    /// Idempotency scope and key.
    pub idempotency: Option<(String, String)>,
    /// JSON object of the host's.
    pub metadata: Option<String>,
    /// JSON; absent reads as `null`.
    pub args: Option<String>,
}

/// What the end of an attempt must know of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPolicy {
    /// Tries before the run fails.
    pub max_attempts: u32,
    /// How tries are spaced.
    pub backoff: crate::domain::Backoff,
}

/// Names of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// One row of the table of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAttempt {
    /// Number of the attempt.
    pub number: u32,
    /// How it ended.
    pub ended: Ended,
    /// Who ran it.
    pub worker: Option<String>,
    /// When it was claimed.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: i64,
    /// JSON of what went wrong.
    pub error: Option<String>,
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

/// Submitting and finding runs.
pub trait RunPort {
    /// Returns the key of a lane, made now if it is new.
    fn lane_make(&mut self, lane: &Lane) -> Result<LaneKey>;
    /// Returns the run with this idempotency scope and key, and its workflow.
    fn run_by_idempotency(&mut self, scope: &str, key: &str) -> Result<Option<(Id, String)>>;
    /// Returns the key of a run.
    fn run_by_id(&mut self, run_id: Id) -> Result<Option<RunKey>>;
    /// Writes a run.
    fn run_insert(&mut self, run: &NewRun) -> Result<RunKey>;
    /// Writes its task.
    fn task_insert(&mut self, task: &Task) -> Result<()>;
    /// Returns what children of a run take from it.
    fn lineage(&mut self, run_key: RunKey) -> Result<crate::domain::run::Parent>;
    /// Returns how often and how a run is tried.
    fn run_policy(&mut self, run_key: RunKey) -> Result<RunPolicy>;
    /// Returns how a run ended, if it did.
    fn run_end(&mut self, run_key: RunKey) -> Result<Option<RunEnd>>;
}

/// Ending attempts, and keeping them alive.
pub trait AttemptPort {
    /// Returns what the task of a run says to the attempt that holds this fence.
    fn hold(&mut self, fence: Fence) -> Result<Option<Hold>>;
    /// Returns the task of an open run.
    fn task(&mut self, run_key: RunKey) -> Result<Option<Task>>;
    /// Writes the lease and the count of losses of a running task.
    fn lease_set(
        &mut self,
        run_key: RunKey,
        until_up_ms: i64,
        lease_ms: u32,
        losses: u32,
    ) -> Result<()>;
    /// Takes a task out of its attempt's hands: its state, times and counts as given.
    fn task_yield(&mut self, task: &Task) -> Result<()>;
    /// Notes that a running task's time-out has passed, so that sweeps see it no more.
    fn task_set_timed_out(&mut self, run_key: RunKey) -> Result<()>;
    /// Writes the row of an ended attempt.
    fn attempt_insert(&mut self, run_key: RunKey, attempt: &EndedAttempt) -> Result<()>;
    /// Returns the row of an ended attempt.
    fn attempt_ended(&mut self, run_key: RunKey, number: u32) -> Result<Option<EndedAttempt>>;
    /// Deletes the task and writes how the run ended.
    fn run_finish(&mut self, run_key: RunKey, end: &RunEnd) -> Result<()>;
}

/// Which of the name spaces of a run a recorded call belongs to; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// `sw_step_begin`.
    Step = 0,
    /// `sw_sleep`.
    Sleep = 1,
    /// Awaits of signals and children, one or many.
    Await = 2,
    /// Submits of children.
    Child = 3,
}

impl StepKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [StepKind; 4] =
        [StepKind::Step, StepKind::Sleep, StepKind::Await, StepKind::Child];
}

/// Where a recorded step stands; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Its start was recorded, its end was not.
    Started = 1,
    /// It has a result.
    Done = 2,
    /// It failed for good.
    Failed = 3,
    /// It failed and will be tried again.
    BacksOff = 4,
    /// Its time-out passed before it came true.
    TimedOut = 5,
    /// It was asked for, and its deadline is fixed.
    Asked = 6,
}

impl StepState {
    /// Returns whether the record never changes again (P16).
    pub const fn is_final(self) -> bool {
        matches!(self, StepState::Done | StepState::Failed | StepState::TimedOut)
    }
}

/// What the file holds of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// Where it stands.
    pub state: StepState,
    /// How often its work was started, as far as recorded.
    pub tries: u32,
    /// When it may be tried again.
    pub retry_at_ms: Option<i64>,
    /// The host's label.
    pub label: Option<String>,
    /// First half of the BLAKE3 of the canonical input.
    pub input_hash: Option<[u8; 16]>,
    /// When its recorded try began.
    pub started_at_ms: i64,
    /// How long that took.
    pub took_ms: i64,
    /// JSON.
    pub error: Option<String>,
    /// JSON.
    pub result: Option<String>,
}

/// Recording steps.
pub trait StepPort {
    /// Returns one step.
    fn step(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        name: &str,
        occurrence: u32,
    ) -> Result<Option<StepRow>>;
    /// Writes a step, over an unfinished record of it; `false` when it is finished already.
    fn step_record(&mut self, run_key: RunKey, kind: StepKind, row: &StepRow) -> Result<bool>;
    /// Hands every recorded step of a run to `each` until it answers `false`.
    fn steps_walk(
        &mut self,
        run_key: RunKey,
        each: &mut dyn FnMut(StepView<'_>) -> bool,
    ) -> Result<()>;
}

/// A recorded step, borrowed from the row it stands in.
#[derive(Debug, Clone, Copy)]
pub struct StepView<'row> {
    /// Name space.
    pub kind: StepKind,
    /// Name.
    pub name: &'row str,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// Where it stands.
    pub state: StepState,
    /// How often its work was started, as far as recorded.
    pub tries: u32,
    /// When it may be tried again.
    pub retry_at_ms: Option<i64>,
    /// First half of the BLAKE3 of the canonical input.
    pub input_hash: Option<[u8; 16]>,
    /// JSON.
    pub error: Option<&'row str>,
    /// JSON.
    pub result: Option<&'row str>,
}

/// The file itself: its schema, its clock.
pub trait StorePort {
    /// Applies the migrations up to `target`, the newest if `None`, and returns how many.
    fn migrate(&mut self, target: Option<i64>, now_ms: i64) -> Result<u32>;
    /// Records where a manual clock stands.
    fn clock_set(&mut self, clock_ms: i64) -> Result<()>;
    /// Returns the latest instant that the file has recorded; 0 in an empty one.
    fn latest_ms(&mut self) -> Result<i64>;
}

/// Everything over one transaction.
pub trait Port:
    RunPort
    + ClaimPort
    + AttemptPort
    + StepPort
    + WaitPort
    + ControlPort
    + QueuePort
    + SchedulePort
    + BudgetPort
    + EventPort
    + StorePort
    + crate::domain::check::CheckPort
    + crate::domain::query::QueryPort
{
}
