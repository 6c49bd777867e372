//! What a backend gives to tasks: the hot row of each open run, which says where it stands in its queue.
//! Every write of that row is a method here.

use super::attempt::Ended;
use super::queue::GatePlace;
use super::run::{LaneKey, OwnerKey, RunKey};
use crate::error::Result;

/// What the queue knows of an open run's progress; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not due yet: a start date, a backoff, a release with a delay.
    Delayed = 0,
    /// May be claimed.
    Ready = 1,
    /// An attempt holds the fence.
    Running = 2,
    /// Parked until something named comes true.
    Waiting = 3,
    /// Set aside by a person.
    Paused = 4,
    /// Held back by the limit of its concurrency key.
    Blocked = 5,
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
    /// What its claim drew beside the number; 0 before the first.
    pub token: i64,
    /// Counts the writes of this row: as long as it stands still, what was read of the row holds.
    pub version: i64,
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
    /// End of the lease, on the lease clock.
    pub lease_until_ms: i64,
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
            token: 0,
            version: 0,
            failures: 0,
            losses: 0,
            is_cancel_asked: false,
            is_timed_out: false,
            is_pause_asked: false,
            is_local: false,
            is_woken_for_room: false,
            gate: None,
            owner_key: None,
            lease_until_ms: 0,
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
            lease_until_ms: self.lease_until_ms,
            lease_ms: self.lease_ms,
            version: self.version,
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
    /// End of the lease, on the lease clock.
    pub lease_until_ms: i64,
    /// Length of the lease.
    pub lease_ms: u32,
    /// Counts the writes of the task.
    pub version: i64,
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

/// What identifies a living attempt in every write it makes: the run, the number of the attempt, and
/// what its claim drew. A store that lost its last commits, or a copy that was restored, gives the same
/// number again, to another attempt; it never draws the same token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// Key of the run.
    pub run_key: RunKey,
    /// Number of the attempt.
    pub number: u32,
    /// Drawn by its claim.
    pub token: i64,
}

/// A lease as a claim writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLease {
    /// Claimer.
    pub owner_key: OwnerKey,
    /// End, on the lease clock.
    pub lease_until_ms: i64,
    /// Length.
    pub lease_ms: u32,
    /// When.
    pub claimed_at_ms: i64,
    /// Who, as the worker names itself.
    pub worker: Option<String>,
    /// What tells the attempts of this claim from those of the same numbers in another lineage.
    pub token: i64,
}

/// What a claimer is told of the task it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The new number of the fence.
    pub number: u32,
    /// When it was due.
    pub due_at_ms: i64,
    /// The lane that it stood in.
    pub lane_key: LaneKey,
    /// Its concurrency key.
    pub gate: Option<String>,
}

/// Why tasks are woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WokenFor {
    /// What they waited for has come.
    Itself,
    /// A budget has room, which nobody else is woken for.
    Room,
}

/// Tasks that were woken, or moved to another lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Woken {
    /// How many.
    pub count: usize,
    /// The gates that they stand at now, each once.
    pub places: Vec<GatePlace>,
}

/// The hot rows of open runs.
pub trait TaskPort {
    /// Returns what the task of a run says to the attempt that holds this fence.
    fn hold(&mut self, fence: Fence) -> Result<Option<Hold>>;
    /// Returns the tasks of those runs that are open, in any order.
    fn tasks(&mut self, run_keys: &[RunKey]) -> Result<Vec<Task>>;
    /// Returns the task of an open run.
    fn task(&mut self, run_key: RunKey) -> Result<Option<Task>>;
    /// Writes its task.
    fn task_insert(&mut self, task: &Task) -> Result<()>;
    /// Writes the lease and the count of losses of a running task.
    fn lease_set(
        &mut self,
        run_key: RunKey,
        until_ms: i64,
        lease_ms: u32,
        losses: u32,
    ) -> Result<()>;
    /// Takes a task out of its attempt's hands: its state, times and counts as given.
    fn task_yield(&mut self, task: &Task) -> Result<()>;
    /// Notes that a running task's time-out has passed, so that sweeps see it no more.
    fn task_set_timed_out(&mut self, run_key: RunKey) -> Result<()>;
    /// Makes delayed or waiting tasks ready, due at `due_at_ms` or when they were parked, if that is
    /// later, and drops what they waited for.
    fn tasks_wake(&mut self, run_keys: &[RunKey], due_at_ms: i64, why: WokenFor) -> Result<Woken>;
    /// Moves up to `limit` local tasks of a lane, whatever their state, to one that is open to all; what
    /// was held back is ready there. Returns at which gates the ready ones stand.
    fn tasks_move(&mut self, from: LaneKey, to: LaneKey, limit: u32) -> Result<Woken>;
    /// Parks a task: nobody runs it, it wakes at `wake_at_ms` at the latest, and is then due no earlier
    /// than `now_ms`.
    fn task_park(
        &mut self,
        run_key: RunKey,
        wake_at_ms: Option<i64>,
        waits_left: u32,
        now_ms: i64,
    ) -> Result<()>;
    /// Notes that a running task is to end as cancelled.
    fn task_ask_cancel(&mut self, run_key: RunKey) -> Result<()>;
    /// Notes or takes back that a running task is to pause.
    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()>;
    /// Sets the state, wake time and due time of a task that nobody runs, and drops its waits.
    fn task_set_aside(&mut self, task: &Task) -> Result<()>;
    /// Holds tasks back that are ready at these gates: all but the first of each lane, or all where no
    /// more may hold the fence behind the gate.
    fn gates_keep(&mut self, places: &[GatePlace]) -> Result<()>;
    /// Lets in the first task that is held back at a gate in a lane, unless one is ready there.
    fn gate_let_in(&mut self, place: &GatePlace) -> Result<()>;
}
