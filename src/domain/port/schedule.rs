//! What a backend gives to schedules: their rows, and the time zones of the machine.

use crate::error::Result;
use crate::id::Id;

/// A schedule as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Name.
    pub name: String,
    /// When a sweep is to look at it; `None` while it is paused, or when it fires no more.
    pub next_at_ms: Option<i64>,
    /// All firings up to here are dealt with.
    pub seen_at_ms: i64,
    /// What an interval counts from.
    pub anchor_ms: i64,
    /// The last run it made.
    pub last_run_id: Option<Id>,
    /// The firing that run was made for.
    pub last_at_ms: Option<i64>,
    /// Firings that made no run since the run before was open.
    pub skipped: i64,
    /// Why it cannot fire, if it cannot.
    pub error: Option<String>,
    /// JSON.
    pub spec: String,
}

/// What a machine knows of a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// Its rules, in the form of RFC 9636 (TZif).
    Found(Vec<u8>),
    /// Nothing; it knows others.
    Unknown,
    /// Nothing; it has no time zones at all.
    NoneHere,
}

/// Schedules, and the zones they are in.
pub trait SchedulePort {
    /// Returns a schedule.
    fn schedule(&mut self, name: &str) -> Result<Option<Schedule>>;
    /// Returns up to `limit` schedules, by name.
    fn schedules(&mut self, limit: u32) -> Result<Vec<Schedule>>;
    /// Returns how many schedules there are, counting up to `limit`.
    fn schedules_len(&mut self, limit: u32) -> Result<u32>;
    /// Writes a schedule, over one of its name.
    fn schedule_put(&mut self, schedule: &Schedule) -> Result<()>;
    /// Forgets a schedule; `false` when there was none.
    fn schedule_delete(&mut self, name: &str) -> Result<bool>;
    /// Returns up to `limit` schedules that are to be looked at, earliest first.
    fn schedules_due(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Schedule>>;
    /// Returns the rules of a time zone, by its name in the IANA database.
    fn time_zone(&mut self, name: &str) -> Result<Zone>;
}
