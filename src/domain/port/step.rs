//! What a backend gives to steps: their records, written once each.

use super::run::RunKey;
use crate::error::Result;

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

    /// Returns what one is called.
    pub const fn noun(self) -> &'static str {
        match self {
            StepKind::Step => "step",
            StepKind::Sleep => "sleep",
            StepKind::Await => "await",
            StepKind::Child => "child",
        }
    }
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

/// What decides over a recorded step: all that is recorded but its texts and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepFacts {
    /// Where it stands.
    pub state: StepState,
    /// How often its work was started, as far as recorded.
    pub tries: u32,
    /// When it may be tried again.
    pub retry_at_ms: Option<i64>,
    /// First half of the BLAKE3 of the canonical input, if it was begun with one.
    pub input_hash: Option<[u8; 16]>,
}

/// What the file holds of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// What decides over it.
    pub facts: StepFacts,
    /// The host's label.
    pub label: Option<String>,
    /// When its recorded try began.
    pub started_at_ms: i64,
    /// How long that took.
    pub took_ms: i64,
    /// JSON.
    pub error: Option<String>,
    /// JSON.
    pub result: Option<String>,
}

impl StepRow {
    /// Returns the record with another state.
    pub fn with_state(self, state: StepState) -> StepRow {
        StepRow { facts: StepFacts { state, ..self.facts }, ..self }
    }
}

/// A recorded step, borrowed from the row it stands in.
#[derive(Debug, Clone, Copy)]
pub struct StepView<'row> {
    /// Name.
    pub name: &'row str,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// What decides over it.
    pub facts: StepFacts,
    /// JSON.
    pub error: Option<&'row str>,
    /// JSON.
    pub result: Option<&'row str>,
}

/// What came of writing a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It was written.
    New,
    /// It is finished, and stays as it stands.
    Stored(StepRow),
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
    /// Returns these steps, each in its place, if all of them are there.
    fn steps_all(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        names: &[(&str, u32)],
    ) -> Result<Option<Vec<StepRow>>>;
    /// Writes a step, over an unfinished record of it, unless it is finished already.
    fn step_record(&mut self, run_key: RunKey, kind: StepKind, row: &StepRow) -> Result<Recorded>;
    /// Does that for each of these, in their order.
    fn steps_record(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        rows: &[StepRow],
    ) -> Result<Vec<Recorded>>;
    /// Hands every record of a run in one name space to `each` until it answers `false`.
    fn steps_walk(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(StepView<'_>) -> bool,
    ) -> Result<()>;
    /// Hands name, occurrence and state of every record to `each`, as above, and reads nothing of what
    /// they came to.
    fn steps_walk_names(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(&str, u32, StepState) -> bool,
    ) -> Result<()>;
}
