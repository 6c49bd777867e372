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

/// Which events are read: of the store or of one run, above a number, up to bounds.
#[derive(Debug, Clone, Copy)]
pub struct EventFilter {
    /// Only of this run.
    pub run_key: Option<RunKey>,
    /// Only above this number.
    pub after_seq: i64,
    /// At most so many.
    pub limit: u32,
    /// No more once their payloads have so many bytes.
    pub bytes: usize,
}

/// The append-only log.
pub trait EventPort {
    /// Appends an event and returns its number.
    fn event_insert(
        &mut self,
        run_key: RunKey,
        event_type: &str,
        key: Option<&str>,
        payload: &str,
        at_ms: i64,
    ) -> Result<i64>;
    /// Returns whether a run has an event under this key.
    fn event_exists(&mut self, run_key: RunKey, key: &str) -> Result<bool>;
    /// Returns events in the order of their numbers.
    fn events(&mut self, filter: &EventFilter) -> Result<Vec<EventRow>>;
    /// Returns the oldest and the newest number in the store; zeros when there is none.
    fn event_span(&mut self) -> Result<(i64, i64)>;
}
