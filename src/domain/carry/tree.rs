//! The nouns of a tree on its way, and the words that stand for states in its document.

use crate::domain::child;
use crate::domain::port::{
    Amounts, Balance, CarriedEvent, CarriedRun, CarriedSignal, CarriedTarget, Ended, EndedAttempt,
    Outcome, ReservationState, SourceKind, StepKind, StepRow, StepState, Task, TaskState,
};
use crate::error::Error;
use crate::id::{self, Id};

/// What the documents of this library are: another number is another form.
pub(super) const FORMAT: i64 = 1;

/// Where a document comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Version of the schema.
    pub schema_version: i64,
    /// Version of the library.
    pub library_version: &'static str,
    /// When, Unix milliseconds.
    pub exported_at_ms: i64,
}

/// Takes the place of payloads in a document that shows none.
#[derive(Debug, Clone, Copy)]
pub struct Redaction {
    /// Makes the hashes of one document comparable with each other and with nothing else.
    pub key: [u8; 32],
}

/// Bounds that an import has from the store that it comes into.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes in one payload.
    pub payload_bytes_max: usize,
    /// Version of the schema.
    pub schema_version: i64,
}

/// Says that a tree has more than it may have.
pub(super) fn too_many(what: &str, count: usize, max: usize) -> Error {
    Error::TooBig(format!("the tree has {count} {what}, at most {max} are allowed").into())
}

/// A topmost run and all below it.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The topmost first, each after the one that submitted it.
    pub(super) runs: Vec<Run>,
    /// What they said, in the order of the log.
    pub(super) events: Vec<(Id, CarriedEvent)>,
    /// What they may spend and have spent, by unit.
    pub(super) units: Vec<(String, Balance)>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Run {
    pub(super) row: CarriedRun,
    /// Of an open one; without keys.
    pub(super) task: Option<Task>,
    pub(super) waits: Vec<(CarriedTarget, i64)>,
    pub(super) attempts: Vec<EndedAttempt>,
    pub(super) steps: Vec<Step>,
    pub(super) signals: Vec<CarriedSignal>,
    pub(super) reservations: Vec<Reserved>,
}

/// A recorded step, and what it used of the budget.
#[derive(Debug, Clone)]
pub struct Step {
    pub(super) kind: StepKind,
    pub(super) row: StepRow,
    pub(super) usage: Vec<Spent>,
}

/// A reservation, and what it came to.
#[derive(Debug, Clone)]
pub struct Reserved {
    pub(super) attempt: u32,
    pub(super) state: ReservationState,
    pub(super) source: Option<String>,
    pub(super) label: String,
    pub(super) step: Option<(String, u32)>,
    pub(super) at_ms: i64,
    pub(super) amounts: Amounts,
    pub(super) spent: Vec<Spent>,
}

/// A line of the ledger.
#[derive(Debug, Clone)]
pub struct Spent {
    pub(super) source: SourceKind,
    pub(super) unit: String,
    pub(super) label: String,
    pub(super) amount: i64,
    pub(super) at_ms: i64,
}

impl Run {
    /// Returns the child that a step has submitted; `None` for a step that submitted none.
    pub(super) fn child_of(step: &Step) -> Option<Id> {
        if step.kind != StepKind::Child {
            return None;
        }
        child::recorded(step.row.result.as_deref()).ok()
    }

    /// Returns the child that an await is named after.
    pub(super) fn awaited_by(step: &Step) -> Option<Id> {
        let is_child = step.kind == StepKind::Await && step.row.label.as_deref() == Some("child");
        if is_child { id::parse("run", &step.row.name) } else { None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.row.outcome.is_none()
    }

    pub(super) fn is_running(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.state == TaskState::Running)
    }

    /// Returns the number of its newest attempt.
    pub(super) fn fence(&self) -> u32 {
        self.task.as_ref().map(|task| task.fence).or(self.row.attempts).unwrap_or(0)
    }
}

/// Returns the word for a value.
pub(super) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

pub(super) const OUTCOMES: &[(&str, Outcome)] = &[
    ("completed", Outcome::Completed),
    ("failed", Outcome::Failed),
    ("cancelled", Outcome::Cancelled),
];

/// Which runs are held back by their concurrency key each store finds for itself.
pub(super) const TASK_STATES: &[(&str, TaskState)] = &[
    ("delayed", TaskState::Delayed),
    ("ready", TaskState::Ready),
    ("running", TaskState::Running),
    ("waiting", TaskState::Waiting),
    ("paused", TaskState::Paused),
];

pub(super) const ENDS: &[(&str, Ended)] = &[
    ("completed", Ended::Completed),
    ("failed", Ended::Failed),
    ("retried", Ended::Retried),
    ("released", Ended::Released),
    ("suspended", Ended::Suspended),
    ("lost", Ended::Lost),
    ("cancelled", Ended::Cancelled),
    ("timed_out", Ended::TimedOut),
];

pub(super) const STEP_KINDS: &[(&str, StepKind)] = &[
    ("step", StepKind::Step),
    ("sleep", StepKind::Sleep),
    ("await", StepKind::Await),
    ("child_submit", StepKind::Child),
];

pub(super) const STEP_STATES: &[(&str, StepState)] = &[
    ("started", StepState::Started),
    ("done", StepState::Done),
    ("failed", StepState::Failed),
    ("backing_off", StepState::BacksOff),
    ("timed_out", StepState::TimedOut),
    ("asked", StepState::Asked),
];

pub(super) const RESERVATION_STATES: &[(&str, ReservationState)] = &[
    ("open", ReservationState::Open),
    ("settled", ReservationState::Settled),
    ("given_back", ReservationState::GivenBack),
    ("assumed", ReservationState::Assumed),
    ("settled_with_step", ReservationState::SettledWithStep),
    ("corrected", ReservationState::Corrected),
];

pub(super) const SOURCES: &[(&str, SourceKind)] = &[
    ("settled", SourceKind::Reservation),
    ("step", SourceKind::Step),
    ("assumed", SourceKind::Assumed),
    ("correction", SourceKind::Correction),
];
