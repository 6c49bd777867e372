//! The files that are open in this process, and one handle's access to one of them.
//!
//! A file that is open in this process is one [`File`], whatever the number of handles: they share
//! its writer, its side file and its bells. Each handle has its own readers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::backup::Copy;
use super::migrate::Seen;
use super::owner::Mark;
use super::path::FileKey;
use super::readers::{self, Readers};
use super::side::Side;
use super::tx::{Look, Tx};
use super::writer::Writer;
use crate::clock::{LeaseClock, Now};
use crate::domain::Durability;
use crate::domain::news::News;
use crate::domain::port::{OwnerId, WriterFacts};
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::os;
use crate::process::{PerProcess, Tracked};
use crate::stop::Stop;
use crate::storage::{Death, WriteOptions};

/// The files that are open, so that handles on one file share its writer.
pub(super) static FILES: PerProcess<Mutex<Files>> = PerProcess::new();

/// The files that are open in this process, with the number of handles on each.
#[derive(Debug, Default)]
pub struct Files {
    pub(super) open: HashMap<FileKey, (Arc<File>, usize)>,
}

/// One database file that is open in this process.
pub struct File {
    pub(super) key: Option<FileKey>,
    pub(super) path: Option<PathBuf>,
    // Dropped in this order: the connection closes before the side file's locks are let go.
    pub(super) writer: Option<Writer>,
    pub(super) side: Arc<Side>,
    pub(super) schema: Seen,
    /// Marks of the owners in this process: its own locks a process cannot see.
    pub(super) owners: Mutex<HashSet<u64>>,
    pub(super) _tracked: Option<Tracked>,
}

impl Drop for File {
    fn drop(&mut self) {
        // Before the side file, whose turn to write it takes.
        if let Some(writer) = self.writer.take() {
            writer.close();
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("File").field("key", &self.key).field("path", &self.path).finish()
    }
}

/// Leases count the time that the machine is awake: all processes on a file share the machine, nobody
/// sets that clock, and it does not run on while a laptop sleeps.
#[derive(Debug)]
pub(super) struct TimeAwake;

impl LeaseClock for TimeAwake {
    fn lease_ms(&self) -> i64 {
        os::uptime_ms()
    }
}

/// One handle's access to a file.
pub struct Backend {
    pub(super) file: Arc<File>,
    pub(super) readers: Readers,
}

impl Backend {
    /// Runs `work` on the committed state, in one read transaction that waits for no writer (P31).
    /// `work` may run more than once; an answer that was given up is nobody's.
    pub fn read<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let read = |look: Look<'_>| match &self.file.writer {
            Some(writer) if self.file.path.is_none() => readers::read_in_memory(writer, look),
            _ => self.readers.read(false, look),
        };
        readers::look(read, work)
    }

    /// Runs `work` as [`Backend::read`] does, for a look at a few rows: on the connection that writes, if
    /// nobody has it at this moment. That one has the pages at hand, which a reader of its own reads anew
    /// after each commit.
    pub fn glance<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let writer = self.file.writer.as_ref().filter(|_| self.file.path.is_some());
        match writer.and_then(Writer::idle_connection) {
            Some(connection) => readers::look(|look| connection.look(look), work),
            None => self.read(work),
        }
    }

    /// Runs `work` as [`Backend::read`] does, on a file of any schema of ours.
    pub fn read_any<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let read = |look: Look<'_>| match &self.file.writer {
            Some(writer) if self.file.path.is_none() => {
                look(&mut Tx::new(writer.connection().conn()))
            }
            _ => self.readers.read(true, look),
        };
        readers::look(read, work)
    }

    /// Runs `work` as a job of the writer; see [`Writer::run`].
    pub fn write<T, Work>(&self, options: WriteOptions, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        self.writer()?.run(options, work)
    }

    fn writer(&self) -> Result<&Writer> {
        let refusal = || Error::ReadOnly("the store was opened with SW_OPEN_READ_ONLY".into());
        self.file.writer.as_ref().ok_or_else(refusal)
    }

    /// Makes what was read up to now as safe as is asked, so that it may be confirmed. Costs two
    /// looks at memory when all is on the disk. One that only reads shows what is committed.
    pub fn confirm(&self, options: WriteOptions) -> Result<()> {
        let is_safe =
            options.call.durability == Durability::Process || self.file.side.is_all_safe();
        // An empty write waits for the sync of what is there, and is refused once one has failed. It changes
        // nothing, also where nothing may be changed.
        let options = WriteOptions { is_schema_free: true, ..options };
        if is_safe { Ok(()) } else { self.write(options, |_, _| Ok(())) }
    }

    /// Copies the store as it is now, of whichever schema of ours, to a new file, while others write;
    /// `go_on` is asked now and then.
    pub fn backup(&self, target: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        let copy = self.read_any(|tx| {
            // Another for each look: the copy of one that is given up is still there.
            let mark = crate::id::write("backup", crate::id::new_id());
            let copy = Copy::new(target, &mark)?;
            copy.fill(tx.conn(), go_on)?;
            Ok(copy)
        })?;
        copy.name()
    }

    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub fn kill_at(&self, death: Option<Death>) -> Result<()> {
        self.writer()?.connection().kill_at(death);
        Ok(())
    }

    /// Moves what was written into the file, as far as no reader keeps it from that.
    pub fn settle(&self) {
        self.file.writer.iter().for_each(Writer::settle);
    }

    /// Returns the clock that leases go by.
    pub fn lease_clock(&self) -> Arc<dyn LeaseClock> {
        Arc::new(TimeAwake)
    }

    /// Returns the side file: bells and the locks of owners.
    pub fn side(&self) -> &Arc<Side> {
        &self.file.side
    }

    /// Tells whoever shares the file what has changed.
    pub fn publish(&self, news: News) {
        self.side().publish(news);
    }

    /// Returns the count of a queue's bell.
    pub fn bell_seen(&self, bell: usize) -> u32 {
        self.side().seen(bell)
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    pub fn bell_wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        self.side().wait(bell, seen, timeout, stop);
    }

    /// Returns the count of the bell of changes.
    pub fn change_seen(&self) -> u32 {
        self.side().change_seen()
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn change_wait(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        self.side().wait_for_change(seen, timeout, stop);
    }

    /// Returns the number of changes told of so far.
    pub fn changes(&self) -> Result<u64> {
        self.side().heard_changes()
    }

    /// Returns the number of recalls told of so far.
    pub fn recalls(&self) -> u32 {
        self.side().recalls()
    }

    /// Returns the path that names the file for good; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.file.path.as_deref()
    }

    /// Returns the id of a new owner in this process.
    pub fn owner_new(&self) -> Result<OwnerId> {
        Mark::new().map(Mark::id)
    }

    /// Holds an owner's lock, which tells every process that it lives.
    pub fn owner_hold(&self, id: OwnerId) -> Result<()> {
        let mark = Mark::of(id).mark;
        let mut owners = self.owners();
        if !owners.contains(&mark) && !self.file.side.lock_owner(mark)? {
            return Err(Error::internal("another owner has this owner's mark"));
        }
        owners.insert(mark);
        Ok(())
    }

    /// Lets go of an owner's lock.
    pub fn owner_let_go(&self, id: OwnerId) {
        let mark = Mark::of(id).mark;
        if self.owners().remove(&mark) {
            self.file.side.unlock_owner(mark);
        }
    }

    /// Returns whether an owner lives, in this process or another: those of another boot do not.
    pub fn owner_is_alive(&self, id: OwnerId) -> Result<bool> {
        let mark = Mark::of(id);
        if !mark.is_of_this_boot()? {
            return Ok(false);
        }
        // Under the lock, since a mark is locked first and noted after.
        let owners = self.owners();
        Ok(owners.contains(&mark.mark) || self.file.side.owner_is_alive(mark.mark)?)
    }

    /// Returns whether an owner lives; `None` where a handle that only reads may not look.
    pub fn owner_life(&self, id: OwnerId) -> Result<Option<bool>> {
        let mark = Mark::of(id);
        if !mark.is_of_this_boot()? {
            return Ok(Some(false));
        }
        let owners = self.owners();
        let is_ours = owners.contains(&mark.mark);
        if is_ours { Ok(Some(true)) } else { self.file.side.owner_life(mark.mark) }
    }

    /// Returns what the writer of this file has done in this process; `None` where there is none.
    pub fn writer_facts(&self) -> Option<WriterFacts> {
        self.file.writer.as_ref().map(Writer::facts)
    }

    fn owners(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.file.owners.lock().unpoisoned()
    }

    /// Lets go of the file; the last handle closes it.
    pub fn close(self) {
        let Backend { file, readers } = self;
        drop(readers);
        let Some(key) = file.key else { return };
        // The last reference is dropped under the lock, so that nobody opens the file while it closes.
        let mut files = FILES.get().lock().unpoisoned();
        drop(file);
        if let Some((_, handles)) = files.open.get_mut(&key) {
            *handles -= 1;
            if *handles == 0 {
                files.open.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::in_memory;
    use super::*;
    use crate::storage::Settings;

    /// P12.
    #[test]
    fn an_owner_lives_from_when_it_is_held_until_it_is_let_go_and_in_no_other_boot() {
        let settings = Settings {
            can_create: true,
            is_read_only: false,
            allows_network_fs: false,
            busy_timeout_ms: 1_000,
            max_readers: 1,
            durability: crate::domain::Durability::Power,
        };
        let backend = in_memory(&settings).unwrap();
        let id = backend.owner_new().unwrap();
        assert!(!backend.owner_is_alive(id).unwrap());
        backend.owner_hold(id).unwrap();
        assert!(backend.owner_is_alive(id).unwrap());
        let mut of_another_boot = Mark::of(id);
        of_another_boot.boot[0] ^= 1;
        assert!(!backend.owner_is_alive(of_another_boot.id()).unwrap());
        backend.owner_let_go(id);
        assert!(!backend.owner_is_alive(id).unwrap());
    }
}
