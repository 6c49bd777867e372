//! A call that is under way on a store: what it reads and writes, and whom it tells of that.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::RwLockReadGuard;
use std::time::{Duration, Instant};

use super::store::Store;
use crate::clock::Now;
use crate::domain::Durability;
use crate::error::{Error, Result};
use crate::storage::sqlite::Backend;
use crate::storage::sqlite::tx::Tx;

/// A call in flight: the store cannot close beneath it.
pub(crate) struct Entered<'store> {
    store: &'store Store,
    guard: RwLockReadGuard<'store, Option<Backend>>,
}

impl<'store> Entered<'store> {
    pub(super) fn new(
        store: &'store Store,
        guard: RwLockReadGuard<'store, Option<Backend>>,
    ) -> Entered<'store> {
        Entered { store, guard }
    }

    /// Returns the backend.
    pub(crate) fn backend(&self) -> Result<&Backend> {
        self.guard.as_ref().ok_or(Error::Closed)
    }

    /// Tells claimers of a queue, and whoever watches the store, that something changed there.
    pub(crate) fn announce(&self, bell: u64) -> Result<()> {
        let side = self.backend()?.side();
        side.ring(side.bell(bell));
        side.change();
        Ok(())
    }

    /// Wakes those who wait so that they look anew when something comes due; counts no change.
    pub(crate) fn remind(&self, bell: u64) -> Result<()> {
        let side = self.backend()?.side();
        side.ring(side.bell(bell));
        side.ring_change();
        Ok(())
    }

    /// Returns the count of orders given to running attempts.
    pub(crate) fn orders(&self) -> u32 {
        self.guard.as_ref().map_or(0, |backend| backend.side().recalls())
    }

    /// Tells the claimers of all queues, and the attempts that run, that time or a sweep has changed
    /// something.
    pub(crate) fn announce_all(&self) -> Result<()> {
        self.backend()?.side().recall();
        self.announce_due()
    }

    /// Tells the claimers of all queues that something may be claimed.
    pub(crate) fn announce_due(&self) -> Result<()> {
        let side = self.backend()?.side();
        side.ring_all();
        side.change();
        Ok(())
    }

    /// Makes what was read as safe as an answer of this durability is: to be called by whoever answers
    /// from a read that something was done, and not that it is seen.
    pub(crate) fn confirm(&self, durability: Durability) -> Result<()> {
        self.backend()?.confirm(self.store.order(durability, 0))
    }

    /// Runs a write with this durability, about this large.
    pub(crate) fn write<T, Work>(
        &self,
        durability: Durability,
        bytes: usize,
        work: Work,
    ) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        self.backend()?.write(self.store.order(durability, bytes), work)
    }
}

/// Returns which of the bells belongs to a queue, before it is known how many there are. The same in
/// every process that runs this version; another version looks once in a slice of its wait.
pub(crate) fn bell(queue: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    queue.hash(&mut hasher);
    hasher.finish()
}

/// The time-out that is none.
pub(crate) const FOREVER: i64 = -1;

pub(crate) fn wait_end(wait_ms: i64) -> Option<Instant> {
    let wait = Duration::from_millis(u64::try_from(wait_ms).ok()?);
    Instant::now().checked_add(wait)
}
