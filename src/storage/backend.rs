//! One handle's access to one store, whichever backend has it: all that is asked from above beside what
//! a transaction is asked through its [`Port`].
//!
//! A backend that joins is a variant here and a folder beside `sqlite`; nothing above changes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::asked::{Death, Settings, WriteOptions};
use super::sqlite;
use crate::clock::{LeaseClock, Now};
use crate::domain::news::News;
use crate::domain::port::{OwnerId, Port, WriterFacts};
use crate::error::Result;
use crate::stop::Stop;

/// The backends.
pub enum Backend {
    /// One SQLite file, or one in memory.
    Sqlite(sqlite::backend::Backend),
}

/// Opens the store that a path names.
pub fn open(path: &Path, settings: &Settings) -> Result<Backend> {
    sqlite::open::open(path, settings).map(Backend::Sqlite)
}

/// Makes a store in memory.
pub fn in_memory(settings: &Settings) -> Result<Backend> {
    sqlite::open::in_memory(settings).map(Backend::Sqlite)
}

/// Reading and writing.
impl Backend {
    /// Runs `work` on the committed state, in one read transaction that waits for no writer (P31).
    /// `work` may run more than once; an answer that was given up is nobody's.
    pub fn read<T>(&self, mut work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        let Backend::Sqlite(backend) = self;
        backend.read(|tx| work(tx))
    }

    /// Runs `work` as [`Backend::read`] does, on a store of any schema of ours.
    pub fn read_any<T>(&self, mut work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        let Backend::Sqlite(backend) = self;
        backend.read_any(|tx| work(tx))
    }

    /// Runs `work` in a transaction, and returns once its answer is as durable as asked. `work` may run
    /// more than once: a transaction can be lost half-way.
    pub fn write<T, Work>(&self, options: WriteOptions, mut work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    {
        let Backend::Sqlite(backend) = self;
        backend.write(options, move |tx, now| work(tx, now))
    }

    /// Makes what was read up to now as safe as is asked, so that it may be confirmed.
    pub fn confirm(&self, options: WriteOptions) -> Result<()> {
        let Backend::Sqlite(backend) = self;
        backend.confirm(options)
    }

    /// Copies the store as it is now to a new file, while others write; `go_on` is asked now and then.
    pub fn backup(&self, target: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        let Backend::Sqlite(backend) = self;
        backend.backup(target, go_on)
    }

    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub fn kill_at(&self, death: Option<Death>) -> Result<()> {
        let Backend::Sqlite(backend) = self;
        backend.kill_at(death)
    }

    /// Moves what was written into the file, as far as nobody reads what it was before, so that the file has
    /// the size that it says. Waits for nobody.
    pub fn settle(&self) {
        let Backend::Sqlite(backend) = self;
        backend.settle();
    }

    /// Returns the newest version of the schema that this library knows.
    pub fn schema_newest(&self) -> i64 {
        let Backend::Sqlite(_) = self;
        sqlite::migrate::NEWEST
    }

    /// Returns the path that names the store for good; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        let Backend::Sqlite(backend) = self;
        backend.path()
    }

    /// Returns the clock that leases go by.
    pub fn lease_clock(&self) -> Arc<dyn LeaseClock> {
        let Backend::Sqlite(backend) = self;
        backend.lease_clock()
    }

    /// Returns what was written in this process since the store was opened; `None` for a handle that only
    /// reads.
    pub fn writer_facts(&self) -> Option<WriterFacts> {
        let Backend::Sqlite(backend) = self;
        backend.writer_facts()
    }

    /// Lets go of the store.
    pub fn close(self) {
        let Backend::Sqlite(backend) = self;
        backend.close();
    }
}

/// Bells and counts: what those who share a store tell each other beside it.
impl Backend {
    /// Tells whoever shares the store what has changed.
    pub fn publish(&self, news: News) {
        let Backend::Sqlite(backend) = self;
        backend.side().publish(news);
    }

    /// Returns the count of a queue's bell, to be taken before the look that a sleep follows.
    pub fn bell_seen(&self, bell: usize) -> u32 {
        let Backend::Sqlite(backend) = self;
        backend.side().seen(bell)
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    pub fn bell_wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let Backend::Sqlite(backend) = self;
        backend.side().wait(bell, seen, timeout, stop);
    }

    /// Returns the count of the bell of changes, to be taken before the look that a sleep follows.
    pub fn change_seen(&self) -> u32 {
        let Backend::Sqlite(backend) = self;
        backend.side().change_seen()
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn change_wait(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let Backend::Sqlite(backend) = self;
        backend.side().wait_for_change(seen, timeout, stop);
    }

    /// Returns the number of changes told of so far. Never goes back while the store is open.
    /// A handle that may not hear of changes is told why.
    pub fn changes(&self) -> Result<u64> {
        let Backend::Sqlite(backend) = self;
        backend.side().heard_changes()
    }

    /// Returns the number of recalls told of so far. While it stands still, an attempt that has looked
    /// need not look again whether it was told to end.
    pub fn recalls(&self) -> u32 {
        let Backend::Sqlite(backend) = self;
        backend.side().recalls()
    }
}

/// Owners: handles that claim, and whether they live.
impl Backend {
    /// Returns the id of a new owner in this process.
    pub fn owner_new(&self) -> Result<OwnerId> {
        let Backend::Sqlite(backend) = self;
        backend.owner_new()
    }

    /// Shows everybody that this owner lives, until it is let go or this process ends.
    pub fn owner_hold(&self, id: OwnerId) -> Result<()> {
        let Backend::Sqlite(backend) = self;
        backend.owner_hold(id)
    }

    /// Shows it no more.
    pub fn owner_let_go(&self, id: OwnerId) {
        let Backend::Sqlite(backend) = self;
        backend.owner_let_go(id);
    }

    /// Returns whether an owner lives, in this process or elsewhere.
    pub fn owner_is_alive(&self, id: OwnerId) -> Result<bool> {
        let Backend::Sqlite(backend) = self;
        backend.owner_is_alive(id)
    }

    /// Returns the same; `None` where a handle that only reads may not look.
    pub fn owner_life(&self, id: OwnerId) -> Result<Option<bool>> {
        let Backend::Sqlite(backend) = self;
        backend.owner_life(id)
    }
}
