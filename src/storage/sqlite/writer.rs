//! The writer: one connection per file and process, fed by a line of its callers, one of whom leads.
//!
//! The leader passes the turnstile, takes the jobs queued so far, runs each in a savepoint of one immediate
//! transaction, commits once, lets the next process in, answers the jobs that ask for no more than the
//! commit, syncs the log once and answers the rest.
//!
//! The connection and the turnstile belong to the leader alone.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::job::{Files, Job};
use super::side::Side;
use super::tx::Tx;
use super::write_connection::WriteConnection;
use crate::clock::Now;
use crate::domain::port::WriterFacts;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::plant::{Plant, stands};
use crate::storage::WriteOptions;
use crate::storage::line::{Leader, Line};
use crate::storage::tally::Tally;

/// How long a close, and the end of a checkpoint, wait for the turn to write. Other opens, or writes, of this
/// process wait meanwhile.
const CLEARING_WAIT: Duration = Duration::from_millis(100);

/// The writer of one file.
pub struct Writer {
    line: Line<Files>,
    connection: Mutex<WriteConnection>,
    side: Arc<Side>,
    tally: Tally,
    stage: Mutex<Stage>,
}

/// What the batch that is led is at.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Waiting for the turn to write.
    Turn,
    /// Waiting for SQLite's own lock.
    Lock,
    /// Being done, with so many others.
    Work(&'static str, usize),
}

impl Writer {
    /// Makes the writer of an open file.
    pub fn new(connection: WriteConnection, side: Arc<Side>) -> Writer {
        Writer {
            line: Line::new(),
            connection: Mutex::new(connection),
            side,
            tally: Tally::default(),
            stage: Mutex::new(Stage::Turn),
        }
    }

    /// Runs `work` in a transaction with whatever else is queued, and returns once its answer is as
    /// durable as ordered. `work` may run more than once: a transaction can be lost half-way.
    pub fn run<T, Work>(&self, options: WriteOptions, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        let deadline = Instant::now() + Duration::from_millis(options.busy_timeout_ms.into());
        let mine = Arc::new(Job::new(options, deadline, work));
        self.line.see_answered(mine.clone(), self)?;
        mine.answer()
    }

    fn enter_stage(&self, stage: Stage) {
        *self.stage.lock().unpoisoned() = stage;
    }

    /// Returns what was written up to now.
    pub fn facts(&self) -> WriterFacts {
        self.tally.facts()
    }

    /// Lends the connection between batches: for reading a store in memory, and for closing.
    pub fn connection(&self) -> MutexGuard<'_, WriteConnection> {
        self.connection.lock().unpoisoned()
    }

    /// Lends the connection if nobody has it, or waits for it, at this moment: who leads has the turn of all
    /// processes, and is not to wait for one look after the other.
    pub fn idle_connection(&self) -> Option<MutexGuard<'_, WriteConnection>> {
        if self.line.is_led() {
            return None;
        }
        match self.connection.try_lock() {
            Ok(connection) => Some(connection),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Moves the log into the file, as far as no reader keeps it from that; nothing while the log is in doubt.
    pub fn settle(&self) {
        let mut connection = self.connection();
        if self.is_sure() {
            connection.settle();
        }
    }

    /// Lets go of the file: the last connection moves the log into it, when nothing of it is in doubt.
    /// With the turn to write, so that nobody opens the file or writes meanwhile; without it somebody
    /// else has the file open, and it is his to do.
    pub fn close(self) {
        let Writer { connection, side, .. } = self;
        let connection = connection.into_inner().unpoisoned();
        let pass = side.enter(Instant::now() + CLEARING_WAIT);
        let is_whole = pass.is_ok() && !side.is_poisoned() && !side.is_suspect();
        if connection.close(is_whole) && !side.is_poisoned() {
            side.note_frames(0);
        }
    }

    /// Runs a batch to its answers. `leave` opens the turnstile to the next process.
    fn carry(&self, mut batch: Vec<Arc<Job>>, leave: impl FnOnce()) {
        let mut connection = self.connection();
        if self.side.is_poisoned() {
            leave();
            return self.line.finish_all(&batch, &Error::Poisoned);
        }
        let deadline = batch.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now);
        let ready = self.start_over(&mut connection, deadline);
        self.enter_stage(Stage::Lock);
        if let Err(error) = ready.and_then(|()| connection.begin(deadline)) {
            leave();
            return self.give_up(batch, &error);
        }
        let first = batch.first().map_or("write", |job| job.options.call.name);
        self.enter_stage(Stage::Work(first, batch.len() - 1));
        let mut failures = connection.commit(&batch, self.line.seats());
        // Those that have not run, since the others took their time, lead the next batch.
        self.line.put_back(batch.split_off(failures.len()));
        let number = self.side.last_commit();
        leave();
        self.tally.batch(batch.iter().map(|job| job.cost()));
        self.side.publish(connection.news());
        if let Err(unseen) = connection.check_names() {
            if matches!(unseen, Error::WalLost(_)) {
                self.side.poison();
            }
            let unseen = unseen.of_a_commit();
            failures.iter_mut().filter(|f| f.is_none()).for_each(|f| *f = Some(unseen.clone()));
        }
        self.answer(&mut connection, number, &batch, failures);
        if self.is_sure() && connection.checkpoint_if_due() {
            self.finish_checkpoint(&mut connection);
        }
    }

    /// Tells those whose time is over, or all when it is not time that is missing.
    fn give_up(&self, batch: Vec<Arc<Job>>, error: &Error) {
        self.line.give_up(batch, error, !matches!(error, Error::Busy(_)));
    }

    /// Returns whether nothing of the log is in doubt, so that it may be moved into the file.
    fn is_sure(&self) -> bool {
        !self.side.is_poisoned() && !self.side.is_suspect()
    }

    /// Moves into the file what other processes have added to the log while the rest was moved, with the
    /// turn to write: it is little, and only a log of which all is moved is started over. Else it would
    /// grow for as long as processes take turns, and to sync a file that grows takes half as long again.
    fn finish_checkpoint(&self, connection: &mut WriteConnection) {
        let pass = self.side.enter(Instant::now() + CLEARING_WAIT);
        // Who had the turn meanwhile may have failed to sync.
        if pass.is_ok() && self.is_sure() {
            connection.settle();
        }
    }

    /// Answers a batch that was committed: first whom the commit is enough, then, after a sync, the rest.
    fn answer(
        &self,
        connection: &mut WriteConnection,
        number: u64,
        batch: &[Arc<Job>],
        failures: Vec<Option<Error>>,
    ) {
        let (sleepers, ready): (Vec<_>, Vec<_>) = batch
            .iter()
            .zip(failures)
            .partition(|(job, failure)| job.needs_sync() && failure.is_none());
        self.line.finish(ready);
        if sleepers.is_empty() {
            return;
        }
        let mut is_shared = true;
        let sync = || {
            is_shared = false;
            if stands(Plant::SkipSync) { Ok(()) } else { connection.sync() }
        };
        let failure = self.side.sync_once(number, sync).map_err(Error::of_a_commit).err();
        if failure.is_none() {
            self.tally.synced(is_shared);
        }
        self.line.finish(sleepers.into_iter().map(|(job, _)| (job, failure.clone())));
    }

    /// Starts over when a sync has failed, in this process before the file was opened or in another one:
    /// what is written behind pages that may be missing on the disk would be lost with them.
    fn start_over(&self, connection: &mut WriteConnection, deadline: Instant) -> Result<()> {
        if !self.side.is_suspect() {
            return Ok(());
        }
        if let Err(error) = connection.start_over(deadline) {
            if matches!(error, Error::WalLost(_)) {
                // Told once: whoever opens the file again has read it.
                self.side.note_frames(0);
                self.side.poison();
            }
            return Err(error);
        }
        Ok(())
    }
}

impl Leader for Writer {
    /// It waits for its turn no longer than the most hasty of the queue; whose time is over is told so, the
    /// rest stay queued.
    fn lead(&self) {
        self.enter_stage(Stage::Turn);
        match self.side.enter(self.line.first_deadline()) {
            Ok(pass) => {
                if let Some(waited) = pass.waited() {
                    self.tally.turn_waited(waited);
                }
                let batch = self.line.take_batch();
                // Empty when all of them gave up meanwhile.
                if !batch.is_empty() {
                    self.carry(batch, || drop(pass));
                }
            }
            Err(error) => self.give_up(Vec::new(), &error),
        }
        self.line.hand_over();
    }

    fn out_of_time(&self) -> Error {
        let stage = match *self.stage.lock().unpoisoned() {
            Stage::Turn => "another process kept the turn to write".into(),
            Stage::Lock => "another program kept a lock on the file".into(),
            Stage::Work(call, 0) => format!("a {call} was under way"),
            Stage::Work(call, others) => format!("a {call} and {others} more were under way"),
        };
        Error::Busy(
            format!("other writes of this process were in the way for the whole time-out: {stage}")
                .into(),
        )
    }
}
