//! One handle's access to one store, whichever backend has it: all that is asked from above beside what
//! a transaction is asked through its [`Port`].
//!
//! A backend that joins is a variant here and a folder beside `sqlite`; nothing above changes.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::asked::{Death, Settings, WriteOptions};
#[cfg(feature = "postgres")]
use super::postgres;
use super::sqlite;
use crate::clock::{LeaseClock, Now};
use crate::domain::news::News;
use crate::domain::port::{OwnerId, Port, WriterFacts};
use crate::error::{Error, Result};
use crate::stop::Stop;

/// The backends.
pub enum Backend {
    /// One SQLite file, or one in memory.
    Sqlite(sqlite::backend::Backend),
    /// A schema on a server of PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(postgres::backend::Backend),
}

/// What a path that names a server's store begins with, either way.
const SCHEMES: [&[u8]; 2] = [b"postgresql://", b"postgres://"];

/// Asks the backend, whichever it is.
macro_rules! ask {
    ($self:ident, $backend:ident => $answer:expr) => {
        match $self {
            Backend::Sqlite($backend) => $answer,
            #[cfg(feature = "postgres")]
            Backend::Postgres($backend) => $answer,
        }
    };
}

/// Opens the store that a path names: a file, or with `postgresql://` in front a server's.
pub fn open(path: &Path, settings: &Settings) -> Result<Backend> {
    let bytes = path.as_os_str().as_bytes();
    if SCHEMES.iter().any(|scheme| bytes.starts_with(scheme)) {
        return open_url(bytes, settings);
    }
    sqlite::open::open(path, settings).map(Backend::Sqlite)
}

#[cfg(feature = "postgres")]
fn open_url(url: &[u8], settings: &Settings) -> Result<Backend> {
    let url = std::str::from_utf8(url).map_err(|_| Error::invalid("a URL must be UTF-8"))?;
    postgres::backend::open(url, settings).map(Backend::Postgres)
}

#[cfg(not(feature = "postgres"))]
fn open_url(_url: &[u8], _settings: &Settings) -> Result<Backend> {
    Err(Error::Unsupported(
        "this library was built without stores in PostgreSQL: its feature postgres adds them"
            .into(),
    ))
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
        ask!(self, backend => backend.read(|tx| work(tx)))
    }

    /// Runs `work` as [`Backend::read`] does, for a look at a few rows that is taken often.
    pub fn glance<T>(&self, mut work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        ask!(self, backend => backend.glance(|tx| work(tx)))
    }

    /// Runs `work` as [`Backend::read`] does, on a store of any schema of ours.
    pub fn read_any<T>(&self, mut work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        ask!(self, backend => backend.read_any(|tx| work(tx)))
    }

    /// Runs `work` in a transaction, and returns once its answer is as durable as asked. `work` may run
    /// more than once: a transaction can be lost half-way.
    pub fn write<T, Work>(&self, options: WriteOptions, mut work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    {
        ask!(self, backend => backend.write(options, move |tx, now| work(tx, now)))
    }

    /// Returns whether a look is a journey, for which a lock is not dear.
    pub fn is_far(&self) -> bool {
        match self {
            Backend::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }

    /// Makes what was read up to now as safe as is asked, so that it may be confirmed.
    pub fn confirm(&self, options: WriteOptions) -> Result<()> {
        ask!(self, backend => backend.confirm(options))
    }

    /// Copies the store as it is now to a new file, while others write; `go_on` is asked now and then.
    pub fn backup(&self, target: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        ask!(self, backend => backend.backup(target, go_on))
    }

    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub fn kill_at(&self, death: Option<Death>) -> Result<()> {
        ask!(self, backend => backend.kill_at(death))
    }

    /// Moves what was written into the file, as far as nobody reads what it was before, so that the file has
    /// the size that it says. Waits for nobody.
    pub fn settle(&self) {
        ask!(self, backend => backend.settle())
    }

    /// Returns the path that names the store for good; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        ask!(self, backend => backend.path())
    }

    /// Returns the clock that leases go by.
    pub fn lease_clock(&self) -> Arc<dyn LeaseClock> {
        ask!(self, backend => backend.lease_clock())
    }

    /// Returns what was written in this process since the store was opened; `None` for a handle that only
    /// reads.
    pub fn writer_facts(&self) -> Option<WriterFacts> {
        ask!(self, backend => backend.writer_facts())
    }

    /// Lets go of the store.
    pub fn close(self) {
        ask!(self, backend => backend.close())
    }
}

/// Bells and counts: what those who share a store tell each other beside it.
impl Backend {
    /// Tells whoever shares the store what has changed.
    pub fn publish(&self, news: News) {
        ask!(self, backend => backend.publish(news))
    }

    /// Returns the count of a queue's bell, to be taken before the look that a sleep follows.
    pub fn bell_seen(&self, bell: usize) -> u32 {
        ask!(self, backend => backend.bell_seen(bell))
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    pub fn bell_wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        ask!(self, backend => backend.bell_wait(bell, seen, timeout, stop))
    }

    /// Returns the count of the bell of changes, to be taken before the look that a sleep follows.
    pub fn change_seen(&self) -> u32 {
        ask!(self, backend => backend.change_seen())
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn change_wait(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        ask!(self, backend => backend.change_wait(seen, timeout, stop))
    }

    /// Returns the number of changes told of so far. Never goes back while the store is open.
    /// A handle that may not hear of changes is told why.
    pub fn changes(&self) -> Result<u64> {
        ask!(self, backend => backend.changes())
    }

    /// Returns the number of recalls told of so far. While it stands still, an attempt that has looked
    /// need not look again whether it was told to end.
    pub fn recalls(&self) -> u32 {
        ask!(self, backend => backend.recalls())
    }
}

/// Owners: handles that claim, and whether they live.
impl Backend {
    /// Returns the id of a new owner in this process.
    pub fn owner_new(&self) -> Result<OwnerId> {
        ask!(self, backend => backend.owner_new())
    }

    /// Shows everybody that this owner lives, until it is let go or this process ends.
    pub fn owner_hold(&self, id: OwnerId) -> Result<()> {
        ask!(self, backend => backend.owner_hold(id))
    }

    /// Shows it no more.
    pub fn owner_let_go(&self, id: OwnerId) {
        ask!(self, backend => backend.owner_let_go(id))
    }

    /// Returns whether an owner lives, in this process or elsewhere.
    pub fn owner_is_alive(&self, id: OwnerId) -> Result<bool> {
        ask!(self, backend => backend.owner_is_alive(id))
    }

    /// Returns the same; `None` where a handle that only reads may not look.
    pub fn owner_life(&self, id: OwnerId) -> Result<Option<bool>> {
        ask!(self, backend => backend.owner_life(id))
    }
}

#[cfg(all(test, not(feature = "postgres")))]
mod tests {
    use super::*;
    use crate::domain::Durability;

    #[test]
    fn a_url_of_a_server_is_no_file_where_none_can_be_served() {
        let settings = Settings {
            can_create: true,
            is_read_only: false,
            allows_network_fs: false,
            busy_timeout_ms: 1_000,
            max_readers: 1,
            durability: Durability::Power,
        };
        for url in ["postgresql://me:hush@host/db", "postgres:///db"] {
            let refused = open(Path::new(url), &settings).err().unwrap();
            assert_eq!(refused.code(), -6);
            assert!(!refused.to_string().contains("hush"), "{refused}");
        }
    }
}
