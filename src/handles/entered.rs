//! A call that is under way on a store: what it reads and writes, and whom it tells of that.

use std::sync::{Arc, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Now};
use crate::domain::Durability;
use crate::domain::port::Port;
use crate::error::{Error, Result};
use crate::storage::{Backend, Call, WriteOptions};

/// On which terms a handle writes.
pub(crate) struct Terms {
    /// Milliseconds that a call waits for a lock.
    pub(super) busy_timeout_ms: u32,
    /// What answers promise that name nothing else.
    pub(super) durability: Durability,
    /// Where the time of a write comes from.
    pub(super) clock: Arc<Clock>,
}

impl Terms {
    /// Returns what is asked of the write of a call.
    pub(super) fn write_options(&self, call: Call) -> WriteOptions {
        WriteOptions {
            call: Call { durability: call.durability.or(self.durability), ..call },
            busy_timeout_ms: self.busy_timeout_ms,
            is_schema_free: false,
            clock: Arc::clone(&self.clock),
        }
    }
}

/// A call in flight: the store cannot close beneath it.
pub(crate) struct Entered<'store> {
    terms: &'store Terms,
    guard: RwLockReadGuard<'store, Option<Backend>>,
}

impl<'store> Entered<'store> {
    pub(super) fn new(
        terms: &'store Terms,
        guard: RwLockReadGuard<'store, Option<Backend>>,
    ) -> Entered<'store> {
        Entered { terms, guard }
    }

    /// Returns the backend.
    pub(crate) fn backend(&self) -> Result<&Backend> {
        self.guard.as_ref().ok_or(Error::Closed)
    }

    /// Returns the count of recalls given to running attempts.
    pub(crate) fn recalls(&self) -> u32 {
        self.guard.as_ref().map_or(0, |backend| backend.recalls())
    }

    /// Makes what was read as safe as an answer of this durability is: to be called by whoever answers
    /// from a read that something was done, and not that it is seen.
    pub(crate) fn confirm(&self, durability: Durability) -> Result<()> {
        let call = Call::of("sync").promising(durability);
        self.backend()?.confirm(self.terms.write_options(call))
    }

    /// Runs a read of the committed state, which waits for no writer; maybe more than once.
    pub(crate) fn read<T>(&self, work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        self.backend()?.read(work)
    }

    /// Runs a read of a few rows that is asked for often; as [`Entered::read`] does.
    pub(crate) fn glance<T>(&self, work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        self.backend()?.glance(work)
    }

    /// Runs the write of a call.
    pub(crate) fn write<T, Work>(&self, call: Call, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    {
        self.backend()?.write(self.terms.write_options(call), work)
    }

    /// Does the same on a store of any schema, and on one that is marked by a move.
    pub(super) fn write_of_any_schema<T, Work>(&self, call: Call, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    {
        let options = WriteOptions { is_schema_free: true, ..self.terms.write_options(call) };
        self.backend()?.write(options, work)
    }
}

/// The time-out that is none.
pub(crate) const FOREVER: i64 = -1;

pub(crate) fn wait_end(wait_ms: i64) -> Option<Instant> {
    let wait = Duration::from_millis(u64::try_from(wait_ms).ok()?);
    Instant::now().checked_add(wait)
}
