//! The backend over SQLite: files, the handles on them, and how SQLite's faults read.
//!
//! A file that is open in this process is one [`File`], whatever the number of handles: they share
//! its writer, its side file and its bells. Each handle has its own readers.

pub mod bench;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
pub mod flush;
mod lane;
pub mod migrate;
pub mod names;
pub mod open;
pub mod os;
pub mod place;
pub mod readers;
pub mod renew;
pub mod side;
pub mod tx;
pub mod vfs;
pub mod writer;

mod attempt;
mod budget;
mod check;
mod claim;
mod columns;
mod control;
mod event;
#[cfg(test)]
mod open_tests;
mod query;
mod queue;
mod run;
mod schedule;
mod step;
mod store;
#[cfg(test)]
mod sync_tests;
mod task;
mod wait;
#[cfg(test)]
mod writer_tests;
mod zone;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use self::readers::Readers;
use self::side::Side;
use self::tx::Tx;
use self::writer::{Order, Writer};
use crate::clock::Now;
use crate::domain::Durability;
use crate::error::{Error, Result};
use crate::process::{self, Tracked};

/// Every statement of the topics, so that one test prepares each and refuses a scan in its plan.
pub fn statements() -> Vec<&'static str> {
    let topics = [
        attempt::STATEMENTS,
        budget::STATEMENTS,
        claim::STATEMENTS,
        control::STATEMENTS,
        event::STATEMENTS,
        lane::STATEMENTS,
        query::STATEMENTS,
        queue::STATEMENTS,
        run::STATEMENTS,
        schedule::STATEMENTS,
        step::STATEMENTS,
        store::STATEMENTS,
        task::STATEMENTS,
        wait::STATEMENTS,
    ];
    topics.concat()
}

/// What identifies an open file: its device, its inode, and whether it is open for reading only.
pub(crate) type FileKey = (u64, u64, bool);

/// The files that are open in this process, with the number of handles on each.
#[derive(Debug, Default)]
pub struct Files {
    open: HashMap<FileKey, (Arc<File>, usize)>,
}

/// One database file that is open in this process.
pub struct File {
    key: Option<FileKey>,
    path: Option<PathBuf>,
    // Dropped in this order: the connection closes before the side file's locks are let go.
    writer: Option<Writer>,
    side: Arc<Side>,
    /// Marks of the owners in this process: its own locks a process cannot see.
    owners: Mutex<HashSet<u64>>,
    _tracked: Option<Tracked>,
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

/// One handle's access to a file.
pub struct Backend {
    file: Arc<File>,
    readers: Readers,
}

impl Backend {
    /// Opens a database file, or joins the handles that have it open.
    pub fn open(path: &Path, settings: &open::Settings) -> Result<Backend> {
        open::open(path, settings)
    }

    /// Makes a database in memory.
    pub fn in_memory(settings: &open::Settings) -> Result<Backend> {
        open::in_memory(settings)
    }

    /// Runs `work` on the committed state, in one read transaction that waits for no writer (P31).
    /// `work` may run more than once; an answer that was given up is nobody's.
    pub fn read<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        match &self.file.writer {
            Some(writer) if self.file.path.is_none() => readers::read_bench(writer, work),
            _ => self.readers.read(false, work),
        }
    }

    /// Runs `work` as [`Backend::read`] does, on a file of any schema of ours.
    pub fn read_any<T>(&self, mut work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        match &self.file.writer {
            Some(writer) if self.file.path.is_none() => work(&mut Tx::new(writer.bench().conn())),
            _ => self.readers.read(true, work),
        }
    }

    /// Runs `work` as a job of the writer; see [`Writer::run`].
    pub fn write<T, Work>(&self, order: Order, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        self.file
            .writer
            .as_ref()
            .ok_or_else(|| Error::ReadOnly("the store was opened with SW_OPEN_READ_ONLY".into()))?
            .run(order, work)
    }

    /// Makes what was read up to now as safe as the order asks, so that it may be confirmed. Costs two
    /// looks at memory when all is on the disk. One that only reads shows what is committed.
    pub fn confirm(&self, order: Order) -> Result<()> {
        let is_safe = order.durability == Durability::Process || self.file.side.is_all_safe();
        // An empty write waits for the sync of what is there, and is refused once one has failed.
        if is_safe { Ok(()) } else { self.write(order, |_, _| Ok(())) }
    }

    /// Returns the side file: bells and the locks of owners.
    pub fn side(&self) -> &Arc<Side> {
        &self.file.side
    }

    /// Returns the path that names the file for good; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.file.path.as_deref()
    }

    /// Holds an owner's lock, which tells every process that it lives.
    pub fn lock_owner(&self, mark: u64) -> Result<()> {
        let mut owners = self.owners();
        if !owners.contains(&mark) && !self.file.side.lock_owner(mark)? {
            return Err(Error::internal("another owner has this owner's mark"));
        }
        owners.insert(mark);
        Ok(())
    }

    /// Lets go of an owner's lock.
    pub fn unlock_owner(&self, mark: u64) {
        if self.owners().remove(&mark) {
            self.file.side.unlock_owner(mark);
        }
    }

    /// Returns whether an owner lives, in this process or another.
    pub fn owner_is_alive(&self, mark: u64) -> Result<bool> {
        // Under the lock, since a mark is locked first and noted after.
        let owners = self.owners();
        Ok(owners.contains(&mark) || self.file.side.owner_is_alive(mark)?)
    }

    fn owners(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.file.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the file; the last handle closes it.
    pub fn close(self) {
        let Backend { file, readers } = self;
        drop(readers);
        let Some(key) = file.key else { return };
        // The last reference is dropped under the lock, so that nobody opens the file while it closes.
        let mut files = process::state().files.lock().unwrap_or_else(PoisonError::into_inner);
        drop(file);
        if let Some((_, handles)) = files.open.get_mut(&key) {
            *handles -= 1;
            if *handles == 0 {
                files.open.remove(&key);
            }
        }
    }
}

/// Reads a fault of SQLite as an error of ours.
pub fn map(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error() {
        Some(failure) => map_code(failure.extended_code, &text),
        None => {
            Error::Corrupt(format!("the file holds what the schema does not allow: {text}").into())
        }
    }
}

/// Reads a result code of SQLite, or of our layer beneath it, as an error of ours; `text` says what
/// failed.
pub fn map_code(code: i32, text: &str) -> Error {
    let errno = vfs::layer::errno_of(code);
    let cause = match errno {
        0 => String::new(),
        errno => format!(": {}", std::io::Error::from_raw_os_error(errno)),
    };
    let engine_code = if errno == 0 { code } else { -errno };
    let sentence = || format!("{text}{cause}").into();
    match code & 0xFF {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            Error::Busy("another program kept a lock on the file for the whole time-out".into())
        }
        ffi::SQLITE_PROTOCOL => Error::Busy(
            "another program kept a lock on the index of the log for ten seconds".into(),
        ),
        ffi::SQLITE_FULL => Error::Full(format!("the disk, or a quota, is full{cause}").into()),
        ffi::SQLITE_READONLY => map_readonly(code),
        ffi::SQLITE_PERM => Error::ReadOnly("the file cannot be written".into()),
        ffi::SQLITE_CORRUPT => Error::Corrupt("the file is damaged".into()),
        ffi::SQLITE_NOMEM => Error::NoMem,
        ffi::SQLITE_NOTADB => Error::NotAStore("the file is not a SQLite database".into()),
        ffi::SQLITE_TOOBIG => Error::TooBig("a row is larger than SQLite can hold".into()),
        ffi::SQLITE_CANTOPEN => Error::CannotOpen { engine_code, sentence: sentence() },
        ffi::SQLITE_IOERR if code == ffi::SQLITE_IOERR_NOMEM => Error::NoMem,
        ffi::SQLITE_IOERR => Error::Io { engine_code, sentence: sentence() },
        ffi::SQLITE_ERROR if text.contains("no such ") => {
            Error::Corrupt(format!("the file lacks a part of its schema: {text}").into())
        }
        _ => Error::internal(format!("SQLite answered {engine_code}: {text}")),
    }
}

/// Reads why something cannot be written; some of it is a reader that finds what only a writer mends.
fn map_readonly(engine_code: i32) -> Error {
    match engine_code {
        ffi::SQLITE_READONLY_RECOVERY | ffi::SQLITE_READONLY_CANTINIT => Error::Busy(
            "the log awaits a recovery that needs the right to write: open the store for writing".into(),
        ),
        ffi::SQLITE_READONLY_ROLLBACK => Error::CannotOpen {
            engine_code,
            sentence: "a transaction was cut off, and its journal must be rolled back first: open the file once for writing".into(),
        },
        _ => Error::ReadOnly("the file cannot be written".into()),
    }
}

/// Returns whether a call of the system failed for want of something that may be there the next time.
pub fn is_lack(error: &std::io::Error) -> bool {
    let lacks = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::EIO,
        libc::EINTR,
        libc::EAGAIN,
        libc::ENOLCK,
    ];
    error.raw_os_error().is_some_and(|errno| lacks.contains(&errno))
}

/// Reads a failed call of the system on a file as an error of ours; `what` says which call.
pub fn map_system(what: &str, error: &std::io::Error) -> Error {
    let engine_code = error.raw_os_error().map_or(0, |errno| -errno);
    let sentence = format!("{what}: {error}").into();
    match -engine_code {
        libc::ENOSPC | libc::EDQUOT | libc::EFBIG => Error::Full(sentence),
        libc::EROFS => Error::ReadOnly(sentence),
        libc::ENOMEM => Error::NoMem,
        _ if is_lack(error) => Error::Io { engine_code, sentence },
        _ => Error::CannotOpen { engine_code, sentence },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::config::DbConfig;
    use rusqlite::{Connection, StatementStatus};

    fn migrated() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        // As every connection of ours has it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
        migrate::apply(&conn, None, 1).unwrap();
        conn
    }

    /// A statement over a partial index is compiled anew for each new value where the planner may look
    /// at values: that was most of what a claim cost.
    #[test]
    fn no_statement_is_compiled_again_when_other_values_are_bound() {
        let settings = open::Settings {
            can_create: true,
            is_read_only: false,
            allows_network_fs: false,
            busy_timeout_ms: 1_000,
            max_readers: 1,
        };
        let backend = Backend::in_memory(&settings).unwrap();
        let writer = backend.file.writer.as_ref().unwrap();
        let bench = writer.bench();
        migrate::apply(bench.conn(), None, 1).unwrap();
        for sql in statements().into_iter().filter(|sql| sql.trim_start().starts_with("SELECT")) {
            let mut statement = bench.conn().prepare(sql).unwrap();
            for value in 1..4 {
                let values = vec![value; statement.parameter_count()];
                let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
                // What the values mean to the statement is beside the point.
                let _ = rows.next();
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }

    #[test]
    fn every_statement_prepares_and_none_scans_a_table() {
        let conn = migrated();
        for sql in statements() {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = explain.parameter_count();
            let values = vec![rusqlite::types::Null; parameters];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            for line in plan {
                assert!(!is_scan(&line), "{line}\n in {sql}");
            }
        }
    }

    /// Walking a partial index from its head, the few owners, a filter's JSON or a page of keys is no
    /// scan of a table; all of them are bounded by a LIMIT.
    fn is_scan(line: &str) -> bool {
        let harmless = [
            "CONSTANT ROW",
            "json_each",
            "sw_workflow_owners",
            "sw_workflow_cascades",
            "page",
            "USING INDEX",
            "USING COVERING INDEX",
        ];
        let newest_row = line.ends_with("sw_workflow_runs")
            || line.ends_with("sw_workflow_attempts")
            || line.ends_with("sw_workflow_steps")
            || line.ends_with("sw_workflow_signals")
            || line.ends_with("sw_workflow_events");
        line.starts_with("SCAN") && !newest_row && !harmless.iter().any(|part| line.contains(part))
    }

    #[test]
    fn faults_of_sqlite_read_as_errors_of_ours() {
        let fault = |code: i32| {
            map(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).code()
        };
        assert_eq!(fault(rusqlite::ffi::SQLITE_BUSY), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_IOERR_FSYNC), -41);
        assert_eq!(fault(rusqlite::ffi::SQLITE_FULL), -42);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_DBMOVED), -43);
        assert_eq!(fault(rusqlite::ffi::SQLITE_CORRUPT), -44);
        assert_eq!(fault(rusqlite::ffi::SQLITE_NOTADB), -46);
        assert_eq!(fault(rusqlite::ffi::SQLITE_CONSTRAINT), -60);
        assert_eq!(fault(rusqlite::ffi::SQLITE_PROTOCOL), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_RECOVERY), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_ROLLBACK), -47);
    }
}
