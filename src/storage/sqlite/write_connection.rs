//! The connection that writes, and one batch of jobs carried through a transaction on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::conn::Conn;
use super::errors::map;
use super::host::Host;
use super::job::Job;
use super::migrate;
use super::names::Names;
use super::side::Side;
use super::tx::{self, Look, Tx};
use super::{path, renew, vfs};
use crate::domain::news::News;
use crate::error::{Error, Result};
use crate::limits::{CHECKPOINT_PAGES, CHECKPOINT_PAGES_HARD, WRITE_BATCH_MS_MAX};
use crate::os;
use crate::plant::{self, Plant, stands};
use crate::storage::Death;
use crate::storage::seat::{Seats, Told};
use crate::storage::steps::Schema;

/// How long a checkpoint waits for readers.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(100);

/// Stands for the pages of the log until SQLite has told how many they are, as it does of each commit that
/// wrote to it.
const UNTOLD: i32 = -1;

/// Time between two tries to cut a log that has been large: each copies what is new, and syncs.
const CUT_EVERY: Duration = Duration::from_secs(1);

/// Bytes of a page, for guessing from the size of a log how many it holds.
const PAGE_BYTES: u64 = 4096;

/// The connection that writes, and what is known of the file beneath it.
pub struct WriteConnection {
    conn: Conn,
    host: Arc<Host>,
    schema: migrate::Seen,
    /// `None` for a store in memory.
    names: Option<Names>,
    side: Arc<Side>,
    /// Pages in the log after the last commit, as SQLite's hook tells.
    log_pages: Arc<AtomicI32>,
    /// Pages in it when a checkpoint last was left unfinished; 0 after a whole one.
    checkpointed_pages: i32,
    /// Pages in it when a checkpoint last waited for readers.
    waited_pages: i32,
    /// Pages that the log's file had room for at most since it was last cut.
    highest_pages: i32,
    /// When it was last tried to cut it.
    tried_to_cut: Option<Instant>,
    busy_timeout: Duration,
    /// What the last batch tells others.
    news: News,
    /// At which commit the process is to die.
    death: Option<Death>,
}

impl WriteConnection {
    /// Takes a connection with its pragmas set; `names` is absent for a store in memory.
    pub fn new(
        mut conn: Connection,
        names: Option<Names>,
        side: Arc<Side>,
        log_pages: Arc<AtomicI32>,
        busy_timeout: Duration,
        schema: migrate::Seen,
    ) -> Result<WriteConnection> {
        // Until it is known at the close that nothing of the log is in doubt.
        vfs::no_checkpoint_on_close(&conn, true)?;
        let host = Host::install(&mut conn)?;
        let log = names.as_ref().map(Names::log_path);
        let left_bytes = log.map_or(0, |log| os::identity(&log).map_or(0, |log| log.size));
        Ok(WriteConnection {
            conn: Conn::new(conn),
            host,
            schema,
            names,
            side,
            log_pages,
            checkpointed_pages: 0,
            waited_pages: 0,
            highest_pages: i32::try_from(left_bytes / PAGE_BYTES).unwrap_or(i32::MAX),
            tried_to_cut: None,
            busy_timeout,
            news: News::default(),
            death: None,
        })
    }

    /// Closes the connection; returns whether the log is gone with it. The last one moves the log into
    /// the file, and deletes it, if that `is_allowed`.
    pub fn close(mut self, is_allowed: bool) -> bool {
        let log = self.names.as_ref().map(Names::log_path);
        let is_empty = log
            .as_ref()
            .is_none_or(|log| path::find(log).is_ok_and(|log| log.is_none_or(|log| log.size == 0)));
        let is_allowed = is_allowed && (is_empty || self.sync_names().is_ok());
        // Refused only for a connection that is not open.
        let _ = vfs::no_checkpoint_on_close(&self.conn, !is_allowed);
        drop(self);
        log.is_some_and(|log| matches!(path::find(&log), Ok(None)))
    }

    /// Returns the connection.
    pub fn conn(&self) -> &Conn {
        &self.conn
    }

    /// Returns a transaction on it that reads, between two batches.
    pub fn reading(&self) -> Tx<'_> {
        Tx::hosting(&self.conn, &self.host, &self.schema)
    }

    /// Takes a look between two batches, in a read transaction.
    pub fn look(&self, work: Look<'_>) -> Result<()> {
        let answer = tx::look(&self.conn, (&self.host, &self.schema), false, work);
        self.roll_back();
        answer
    }

    /// Returns what schema the file has, looked up anew only when it changed.
    pub fn schema(&self) -> Result<Schema> {
        self.schema.look(&self.conn)
    }

    /// Runs a batch in the transaction that was begun, and ends it. Returns for each job the error that its
    /// answer must be, or `None` when it kept its own; for the first of them only, where those have taken
    /// their time: the others have not run.
    pub fn commit(&mut self, batch: &[Arc<Job>], seats: &Seats) -> Vec<Option<Error>> {
        self.news = News::default();
        let mut failures = vec![None; batch.len()];
        if let Some(lost) = self.attempt(batch, &mut failures, seats) {
            // A full disk or a failed read can take the whole transaction down, savepoints and all.
            // The job it happened in has its code; each other runs again, alone.
            for (at, job) in batch.iter().enumerate().filter(|(at, _)| *at != lost) {
                let mut failure = vec![None];
                if let Err(error) = self.conn.run("BEGIN IMMEDIATE") {
                    failures[at] = Some(error);
                    continue;
                }
                self.attempt(std::slice::from_ref(job), &mut failure, seats);
                failures[at] = failure[0].take();
            }
        }
        failures
    }

    /// Begins the transaction of a batch. Waits for SQLite's own lock, which another program may hold, until
    /// the deadline; then it is `Busy`.
    pub fn begin(&self, deadline: Instant) -> Result<()> {
        // A look that panicked may have left its transaction open.
        self.roll_back();
        let patience = deadline.saturating_duration_since(Instant::now());
        self.conn.busy_timeout(patience).map_err(map)?;
        let begun = self.conn.run("BEGIN IMMEDIATE");
        self.conn.busy_timeout(self.busy_timeout).map_err(map)?;
        begun
    }

    /// Runs jobs in the transaction that is open, and ends it; returns the index of the job in which the transaction was lost.
    fn attempt(
        &mut self,
        jobs: &[Arc<Job>],
        failures: &mut Vec<Option<Error>>,
        seats: &Seats,
    ) -> Option<usize> {
        let (schema, began) = (self.schema(), Instant::now());
        let (mut has_work, mut news) = (false, News::default());
        for (at, job) in jobs.iter().enumerate() {
            if let Some(refusal) = refusal(&schema, job.options.is_schema_free) {
                failures[at] = Some(refusal);
                continue;
            }
            let verdict = self.run(&**job, jobs.len() > 1);
            has_work |= verdict.is_ok() || stands(Plant::KeepFailed);
            match verdict {
                Ok(told) => news = news.and(told),
                Err(error) => failures[at] = Some(error),
            }
            if self.conn.is_autocommit() {
                // Also when the job hid it: what it wrote is gone.
                let lost = || Error::internal("the transaction was lost beneath a write");
                failures[at].get_or_insert_with(lost);
                return Some(at);
            }
            if began.elapsed() >= Duration::from_millis(WRITE_BATCH_MS_MAX) {
                failures.truncate(at + 1);
                break;
            }
        }
        if stands(Plant::AnswerEarly) {
            let good = jobs.iter().zip(failures.iter()).filter(|(_, failure)| failure.is_none());
            seats.tell(good.map(|(job, _)| &job.seat), Told::Answered);
            plant::linger();
        }
        match if has_work { self.end() } else { self.conn.run("ROLLBACK") } {
            // Of what is not committed nobody is told.
            Ok(()) => self.news = self.news.and(news),
            Err(error) => {
                self.roll_back();
                for failure in failures.iter_mut().filter(|failure| failure.is_none()) {
                    *failure = Some(error.clone());
                }
            }
        }
        None
    }

    /// Has the process die at a commit, or, with `None`, not any more.
    pub fn kill_at(&mut self, death: Option<Death>) {
        self.death = death;
    }

    /// Dies if this is the moment: before the commit that is about to be, or after it.
    fn die_if_asked(&mut self, is_after: bool) {
        match &mut self.death {
            Some(death) if death.commit == 1 && death.is_after == is_after => os::die(),
            Some(death) if is_after => death.commit -= 1,
            Some(_) | None => {}
        }
    }

    /// Commits, and counts that, so that readers know what may not be on the disk yet.
    fn end(&mut self) -> Result<()> {
        self.die_if_asked(false);
        let number = self.side.begin_commit();
        let pages_before = self.log_pages.swap(UNTOLD, Ordering::Relaxed);
        let committed = self.conn.run("COMMIT");
        let is_empty = self.log_pages.load(Ordering::Relaxed) == UNTOLD;
        if is_empty {
            self.log_pages.store(pages_before, Ordering::Relaxed);
        }
        if let Err(error) = committed {
            // It may have started the log over: nothing is known of its length. And its last frame may
            // have been written.
            self.side.note_frames(0);
            return Err(error.of_a_commit());
        }
        self.die_if_asked(true);
        if is_empty && self.side.take_back_commit(number) {
            return Ok(());
        }
        self.side.end_commit(number);
        self.side.note_frames(u32::try_from(self.log_pages.load(Ordering::Relaxed)).unwrap_or(0));
        Ok(())
    }

    /// Runs one job so that nothing of it stays when it fails, and returns what it tells others. Alone in its transaction it needs no
    /// savepoint: the transaction is rolled back.
    fn run(&self, job: &Job, is_shared: bool) -> Result<News> {
        self.rehearse(job)?;
        if is_shared {
            self.conn.run("SAVEPOINT job")?;
        }
        let mut tx = Tx::hosting(&self.conn, &self.host, &self.schema);
        let verdict = job.run(&mut tx).map(|()| tx.news());
        if !is_shared || self.conn.is_autocommit() {
            return verdict;
        }
        let is_undone = verdict.is_err() && !stands(Plant::KeepFailed);
        if is_undone && self.conn.run("ROLLBACK TO job").is_err() {
            // Nothing of it may stay: the others run again without it.
            self.roll_back();
            return verdict;
        }
        self.conn.run("RELEASE job")?;
        verdict
    }

    /// Runs a job and undoes it, for tests that ask for that: what it comes to then counts alone.
    #[cfg(any(test, feature = "fault"))]
    fn rehearse(&self, job: &Job) -> Result<()> {
        let Some(names) = self.names.as_ref().filter(|names| names.are_run_again()) else {
            return Ok(());
        };
        self.conn.run("SAVEPOINT rehearsal")?;
        names.rehearse(|| drop(job.run(&mut Tx::hosting(&self.conn, &self.host, &self.schema))));
        self.conn.run("ROLLBACK TO rehearsal")?;
        self.conn.run("RELEASE rehearsal")
    }

    #[cfg(not(any(test, feature = "fault")))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "test builds rehearse")]
    fn rehearse(&self, _job: &Job) -> Result<()> {
        Ok(())
    }

    fn roll_back(&self) {
        if !self.conn.is_autocommit() {
            // Failing to roll back leaves nothing to do: the next BEGIN says what is wrong.
            let _ = self.conn.run("ROLLBACK");
        }
    }

    /// Returns what the last batch tells others.
    pub fn news(&self) -> News {
        self.news
    }

    /// Makes everything committed so far safe from the loss of power, and the names of the files.
    pub fn sync(&mut self) -> Result<()> {
        self.sync_names()?;
        vfs::sync_wal(&self.conn)
    }

    /// Brings the names of the files to the disk: also before the database is changed, which only the log
    /// then makes whole again.
    fn sync_names(&mut self) -> Result<()> {
        self.names.as_mut().map_or(Ok(()), |names| names.sync(&self.side))
    }

    /// Fails when the log was taken away, or cannot be looked at.
    pub fn check_names(&mut self) -> Result<()> {
        self.names.as_mut().map_or(Ok(()), Names::check)
    }

    /// Writes anew what a failed sync may have left out; see [`renew`].
    pub fn start_over(&mut self, deadline: Instant) -> Result<()> {
        self.begin(deadline)?;
        let renewed = renew::start_over(&self.conn, self.side.frames(), deadline);
        self.roll_back();
        let pages = i32::try_from(renewed?).unwrap_or(i32::MAX);
        self.log_pages.store(pages, Ordering::Relaxed);
        (self.checkpointed_pages, self.waited_pages) = (0, 0);
        self.names.iter_mut().for_each(Names::forget_sync);
        self.sync_names()?;
        self.side.note_started_over();
        Ok(())
    }

    /// Moves the log into the file when it is long, with the turnstile open and the callers
    /// answered. A passive checkpoint waits for nobody; one that readers held up for long waits for
    /// them, so that the log starts over and does not grow without end. After one that could not be
    /// finished the log must grow by as much again before the next, or a reader that stays would make
    /// every commit wait. Returns whether all was moved but what other processes have added meanwhile.
    pub fn checkpoint_if_due(&mut self) -> bool {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.checkpointed_pages {
            self.checkpointed_pages = 0;
        }
        if pages < self.waited_pages {
            self.waited_pages = 0;
        }
        self.highest_pages = self.highest_pages.max(pages);
        if self.names.is_none() || self.cut_if_large() {
            return false;
        }
        if pages - self.checkpointed_pages < CHECKPOINT_PAGES {
            return false;
        }
        let is_hard = pages >= CHECKPOINT_PAGES_HARD
            && pages - self.waited_pages >= CHECKPOINT_PAGES_HARD / 2;
        let mut wait = Duration::ZERO;
        if is_hard {
            self.waited_pages = pages;
            // It holds SQLite's own lock meanwhile, and other programs wait for that.
            wait = CHECKPOINT_WAIT.min(self.busy_timeout);
        }
        let moved = self.checkpoint(if is_hard { "RESTART" } else { "PASSIVE" }, wait);
        self.checkpointed_pages = if moved.is_some() { 0 } else { pages };
        self.log_pages.store(self.checkpointed_pages, Ordering::Relaxed);
        moved.is_some_and(|moved| moved < self.side.frames())
    }

    /// Moves the log into the file now, however short it is, waiting for nobody: a file that has become
    /// shorter is cut once all of it is moved.
    pub fn settle(&mut self) {
        if self.names.is_some() && self.checkpoint("PASSIVE", Duration::ZERO).is_some() {
            self.checkpointed_pages = 0;
            self.log_pages.store(0, Ordering::Relaxed);
        }
    }

    /// Gives the room of a log that has been large back to the file system, once nobody reads from it; a
    /// log of the usual size is written over and over, which is quicker.
    fn cut_if_large(&mut self) -> bool {
        let is_due = self.highest_pages >= CHECKPOINT_PAGES_HARD
            && self.tried_to_cut.is_none_or(|tried| tried.elapsed() >= CUT_EVERY);
        if !is_due {
            return false;
        }
        self.tried_to_cut = Some(Instant::now());
        let is_cut = self.checkpoint("TRUNCATE", Duration::ZERO).is_some();
        if is_cut {
            (self.highest_pages, self.checkpointed_pages, self.waited_pages) = (0, 0, 0);
            self.log_pages.store(0, Ordering::Relaxed);
        }
        is_cut
    }

    /// Moves the log into the file, waiting for readers and writers as long as `wait`; returns how many frames
    /// it had, if all of them were moved. One that fails leaves the log as it is, and a later commit tries again, unless a
    /// sync failed, which the side file hears.
    fn checkpoint(&mut self, mode: &str, wait: Duration) -> Option<u32> {
        self.sync_names().ok()?;
        let _ = self.conn.busy_timeout(wait);
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let answer = self.conn.query_row(&sql, [], |row| {
            Ok((row.get::<_, i32>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let _ = self.conn.busy_timeout(self.busy_timeout);
        let (is_refused, frames, moved) = answer.ok()?;
        u32::try_from(moved).ok().filter(|_| is_refused == 0 && frames == moved)
    }
}

fn refusal(schema: &Result<Schema>, is_schema_free: bool) -> Option<Error> {
    match schema {
        Ok(schema) => schema.write_refusal(is_schema_free),
        Err(error) => Some(error.clone()),
    }
}
