//! What a backend gives to the append-only log.

use super::run::RunKey;
use crate::error::Result;
use crate::id::Id;

/// An event as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Number in the store, from 1.
    pub seq: i64,
    /// Run that it is about.
    pub run_id: Id,
    /// What kind of event it is.
    pub event_type: String,
    /// JSON.
    pub payload: String,
    /// When, Unix milliseconds.
    pub at_ms: i64,
}

/// Says that what was committed before has its numbers. A backend gives it, and whoever reads the log
/// shows it: an event that was appended is not read before it is numbered.
#[derive(Debug, Clone, Copy)]
pub struct Numbered(());

impl Numbered {
    /// For a backend, once it is so.
    pub const fn all() -> Numbered {
        Numbered(())
    }
}

/// Which events are read: of the store or of one run, above a number, up to bounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventFilter<'a> {
    /// Only of this run.
    pub run_key: Option<RunKey>,
    /// Only of these kinds; empty is all.
    pub types: &'a [String],
    /// Not above this number.
    pub up_to_seq: Option<i64>,
    /// Only above this number.
    pub after_seq: i64,
    /// At most so many.
    pub limit: u32,
    /// No more once their payloads have so many bytes.
    pub bytes: usize,
}

/// The append-only log.
pub trait EventPort {
    /// Appends an event, unless the run has one under this key; `false` when it has. Its number it has
    /// when it is read.
    fn event_insert_once(
        &mut self,
        run_key: RunKey,
        event_type: &str,
        key: Option<&str>,
        payload: &str,
        at_ms: i64,
    ) -> Result<bool>;
    /// Gives the events that were committed before this transaction their numbers, where they have none:
    /// the next ones, in the order of commits and without gaps (P32). A backend that numbers as it
    /// appends has nothing to do.
    fn events_number(&mut self) -> Result<Numbered>;
    /// Returns events in the order of their numbers.
    fn events(&mut self, numbered: Numbered, filter: &EventFilter<'_>) -> Result<Vec<EventRow>>;
    /// Returns the number of the event that stands `count` places above a number, of those of a run or
    /// of the store; `None` where so many are not there.
    fn event_ahead(
        &mut self,
        numbered: Numbered,
        run_key: Option<RunKey>,
        after_seq: i64,
        count: u32,
    ) -> Result<Option<i64>>;
    /// Returns the oldest and the newest number in the store; zeros when there is none.
    fn event_span(&mut self, numbered: Numbered) -> Result<(i64, i64)>;
}
