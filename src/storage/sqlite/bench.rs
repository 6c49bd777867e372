//! The writer's bench: its connection, and one batch of jobs carried through a transaction on it.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::migrate::{self, Schema};
use super::os;
use super::tx::Tx;
use super::writer::Job;
use super::{map, vfs};
use crate::error::{Error, Result};
use crate::limits::{CHECKPOINT_PAGES, CHECKPOINT_PAGES_HARD};

/// How long a checkpoint waits for readers.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(100);

/// The connection that writes, and what is known of the file beneath it.
pub struct Bench {
    conn: Connection,
    schema: migrate::Seen,
    log: Option<Log>,
    /// Pages in the log after the last commit, as SQLite's hook tells.
    log_pages: Arc<AtomicI32>,
    /// Pages in it when a checkpoint last was left unfinished; 0 after a whole one.
    checkpointed_pages: i32,
    /// Pages in it when a checkpoint last waited for readers.
    waited_pages: i32,
    busy_timeout: Duration,
}

/// The write-ahead log as it was when the file was opened: another file under its name means that
/// somebody took it away, and with it what was acknowledged (P36).
struct Log {
    path: CString,
    inode: u64,
}

/// Returns the path of the log of a file.
pub fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

impl Bench {
    /// Takes a connection with its pragmas set; `path` is absent for a store in memory.
    pub fn new(
        conn: Connection,
        path: Option<&Path>,
        log_pages: Arc<AtomicI32>,
        busy_timeout: Duration,
    ) -> Result<Bench> {
        let log = path
            .map(|path| {
                let path = CString::new(log_path(path).into_os_string().into_vec())
                    .map_err(|_| Error::invalid("a path must not hold a NUL"))?;
                let inode = os::inode(&path).map_err(|error| {
                    Error::from_os("the write-ahead log cannot be seen", &error)
                })?;
                Ok::<Log, Error>(Log { path, inode })
            })
            .transpose()?;
        Ok(Bench {
            conn,
            schema: migrate::Seen::default(),
            log,
            log_pages,
            checkpointed_pages: 0,
            waited_pages: 0,
            busy_timeout,
        })
    }

    /// Returns the connection.
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Returns what schema the file has, looked up anew only when it changed.
    pub fn schema(&mut self) -> Result<Schema> {
        self.schema.look(&self.conn)
    }

    /// Runs a batch in one transaction. Returns for each job the error that its answer must be, or
    /// `None` when it kept its own.
    ///
    /// Waits for SQLite's own lock, which another program may hold, as long as `patience`; then the
    /// whole is `Busy` and nothing has run.
    pub fn commit(
        &mut self,
        batch: &[Arc<dyn Job>],
        patience: Duration,
    ) -> Result<Vec<Option<Error>>> {
        self.conn.busy_timeout(patience).map_err(map)?;
        let begun = self.execute("BEGIN IMMEDIATE");
        self.conn.busy_timeout(self.busy_timeout).map_err(map)?;
        begun?;
        let mut failures = vec![None; batch.len()];
        if let Some(lost) = self.attempt(batch, &mut failures) {
            // A full disk or a failed read can take the whole transaction down, savepoints and all.
            // The job it happened in has its code; each other runs again, alone.
            for (at, job) in batch.iter().enumerate().filter(|(at, _)| *at != lost) {
                let mut failure = [None];
                if let Err(error) = self.execute("BEGIN IMMEDIATE") {
                    failures[at] = Some(error);
                    continue;
                }
                self.attempt(std::slice::from_ref(job), &mut failure);
                failures[at] = failure[0].take();
            }
        }
        Ok(failures)
    }

    /// Runs jobs in the transaction that is open, and ends it; returns the index of the job in which the transaction was lost.
    fn attempt(&mut self, jobs: &[Arc<dyn Job>], failures: &mut [Option<Error>]) -> Option<usize> {
        let schema = self.schema();
        let mut has_work = false;
        for (at, job) in jobs.iter().enumerate() {
            if let Some(refusal) = refusal(&schema, job.is_schema_free()) {
                failures[at] = Some(refusal);
                continue;
            }
            let verdict = self.run(&**job, jobs.len() > 1);
            has_work |= verdict.is_ok();
            failures[at] = verdict.err();
            if self.conn.is_autocommit() {
                // Also when the job hid it: what it wrote is gone.
                let lost = || Error::internal("the transaction was lost beneath a write");
                failures[at].get_or_insert_with(lost);
                return Some(at);
            }
        }
        if let Err(error) = self.execute(if has_work { "COMMIT" } else { "ROLLBACK" }) {
            self.roll_back();
            for failure in failures.iter_mut().filter(|failure| failure.is_none()) {
                *failure = Some(error.clone());
            }
        }
        None
    }

    /// Runs one job so that nothing of it stays when it fails. Alone in its transaction it needs no
    /// savepoint: the transaction is rolled back.
    fn run(&self, job: &dyn Job, is_shared: bool) -> Result<()> {
        if is_shared {
            self.execute("SAVEPOINT job")?;
        }
        let verdict = job.run(&mut Tx::new(&self.conn));
        if !is_shared || self.conn.is_autocommit() {
            return verdict;
        }
        if verdict.is_err() && self.execute("ROLLBACK TO job").is_err() {
            // Nothing of it may stay: the others run again without it.
            self.roll_back();
            return verdict;
        }
        self.execute("RELEASE job")?;
        verdict
    }

    fn roll_back(&self) {
        if !self.conn.is_autocommit() {
            // Failing to roll back leaves nothing to do: the next BEGIN says what is wrong.
            let _ = self.execute("ROLLBACK");
        }
    }

    /// Makes everything committed so far safe from the loss of power.
    pub fn sync(&self) -> Result<()> {
        vfs::sync_wal(&self.conn)
    }

    /// Fails when the log was taken away: what we append to it, nobody will ever see.
    pub fn check_log(&self) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        match os::inode(&log.path) {
            Ok(inode) if inode == log.inode => Ok(()),
            Ok(_) | Err(_) => Err(Error::WalLost(
                "the write-ahead log was removed or replaced while the store was open: \
                 has a second SQLite in this process opened the file?"
                    .into(),
            )),
        }
    }

    /// Moves the log into the file when it is long, with the turnstile open and the callers
    /// answered. A passive checkpoint waits for nobody; one that readers held up for long waits for
    /// them, so that the log starts over and does not grow without end. After one that could not be
    /// finished the log must grow by as much again before the next, or a reader that stays would make
    /// every commit wait.
    pub fn checkpoint_if_due(&mut self, is_poisoned: bool) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.checkpointed_pages {
            self.checkpointed_pages = 0;
        }
        if pages < self.waited_pages {
            self.waited_pages = 0;
        }
        let grown = pages - self.checkpointed_pages;
        if is_poisoned || self.log.is_none() || grown < CHECKPOINT_PAGES {
            return;
        }
        let is_hard = pages >= CHECKPOINT_PAGES_HARD
            && pages - self.waited_pages >= CHECKPOINT_PAGES_HARD / 2;
        if is_hard {
            self.waited_pages = pages;
            // It holds SQLite's own lock meanwhile, and other programs wait for that.
            let _ = self.conn.busy_timeout(CHECKPOINT_WAIT.min(self.busy_timeout));
        }
        let mode = if is_hard { "RESTART" } else { "PASSIVE" };
        // A checkpoint that fails leaves the log as it is; a later commit tries again.
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let is_whole = self.conn.query_row(&sql, [], |row| {
            Ok(row.get::<_, i32>(0)? == 0 && row.get::<_, i32>(1)? == row.get::<_, i32>(2)?)
        });
        let _ = self.conn.busy_timeout(self.busy_timeout);
        self.checkpointed_pages = if is_whole.unwrap_or(false) { 0 } else { pages };
        self.log_pages.store(self.checkpointed_pages, Ordering::Relaxed);
    }

    /// Moves the whole log into the file, which is synced, so that the next commit begins a new one.
    /// Waits for readers of the old one as long as `patience`.
    pub fn restart_log(&mut self, patience: Duration) -> Result<()> {
        self.conn.busy_timeout(patience).map_err(map)?;
        let is_busy =
            self.conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, bool>(0));
        self.conn.busy_timeout(self.busy_timeout).map_err(map)?;
        if is_busy.map_err(map)? {
            return Err(Error::Busy(
                "a sync of the log has failed, and readers kept it from being started over".into(),
            ));
        }
        self.log_pages.store(0, Ordering::Relaxed);
        (self.checkpointed_pages, self.waited_pages) = (0, 0);
        Ok(())
    }

    /// Leaves the log where it is when the connection closes: after a failed sync nothing may be
    /// moved from it into the file.
    pub fn keep_log(&self) {
        // Refused only for a connection that is not open.
        let _ = vfs::no_checkpoint_on_close(&self.conn, true);
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.conn.prepare_cached(sql).and_then(|mut s| s.execute([])).map(|_| ()).map_err(map)
    }
}

fn refusal(schema: &Result<Schema>, is_schema_free: bool) -> Option<Error> {
    match schema {
        Ok(schema) => schema.refusal(is_schema_free),
        Err(error) => Some(error.clone()),
    }
}
