//! The writer: one connection per file and process, fed by a queue, led by one of its callers.
//!
//! Whoever finds no leader leads: it passes the turnstile, takes the jobs queued so far, runs each in
//! a savepoint of one immediate transaction, commits once, lets the next process in, answers the jobs
//! that ask for no more than the commit, syncs the log once and answers the rest. The others sleep
//! until their answer is there. So a lone caller pays one commit and one sync, sixty-four share them,
//! and no thread of the library's own is needed.
//!
//! Lock order: the queue's mutex is never held while another lock is taken. The connection
//! and the turnstile belong to the leader alone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use super::job::Job;
use super::seat::{Seat, Seats, Told};
use super::side::Side;
use super::tx::Tx;
use super::write_connection::WriteConnection;
use crate::clock::Now;
use crate::domain::port::WriterFacts;
use crate::error::{Error, Result};
use crate::limits::{WRITE_BATCH_BYTES_MAX, WRITE_BATCH_LEN_MAX, WRITE_QUEUE_LEN_MAX};
use crate::lock::Unpoisoned;
use crate::plant::{Plant, stands};
use crate::storage::WriteOptions;
use crate::storage::tally::Tally;

/// How long a close, and the end of a checkpoint, wait for the turn to write. Other opens, or writes, of this
/// process wait meanwhile.
const CLEARING_WAIT: Duration = Duration::from_millis(100);

/// The writer of one file.
pub struct Writer {
    queue: Mutex<Queue>,
    room: Condvar,
    seats: Seats,
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

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<Job>>,
    is_led: bool,
    /// How many batches were taken.
    batches: u64,
}

impl Queue {
    /// Queues jobs at the front, in their order.
    fn put_back(&mut self, jobs: Vec<Arc<Job>>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }
}

impl Writer {
    /// Makes the writer of an open file.
    pub fn new(connection: WriteConnection, side: Arc<Side>) -> Writer {
        Writer {
            queue: Mutex::default(),
            room: Condvar::new(),
            seats: Seats::default(),
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
        self.see_answered(mine.clone(), deadline)?;
        mine.answer()
    }

    /// Queues a job, leads where this falls to its caller, and returns once it is answered.
    fn see_answered(&self, job: Arc<Job>, deadline: Instant) -> Result<()> {
        if self.enqueue(Arc::clone(&job), deadline)? {
            self.lead();
        }
        loop {
            match self.seats.wait(&job.seat, Some(deadline)) {
                Told::Answered => return Ok(()),
                Told::Lead => self.lead(),
                Told::None if self.withdraw(&job) => return Err(self.out_of_time()),
                Told::None => self.stay(&job.seat),
            }
        }
    }

    /// Waits on after the deadline, for work that is being done: its answer is needed.
    fn stay(&self, seat: &Seat) {
        if self.seats.wait(seat, None) == Told::Lead {
            self.lead();
        }
    }

    /// Takes back a job whose time is over, unless it was taken into a batch: then it may get done. Or
    /// unless its caller is to lead, which nobody else will then.
    fn withdraw(&self, job: &Arc<Job>) -> bool {
        let mut queue = self.queue();
        let place = queue.jobs.iter().position(|queued| Arc::ptr_eq(queued, job));
        let Some(place) = place.filter(|_| !job.seat.is_told()) else { return false };
        queue.jobs.remove(place);
        self.room.notify_one();
        true
    }

    /// Says what was in the way of a write whose time is over.
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
        if self.queue().is_led {
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

    /// Queues a job and returns whether its caller is to lead.
    fn enqueue(&self, job: Arc<Job>, deadline: Instant) -> Result<bool> {
        let mut queue = self.queue();
        while queue.jobs.len() >= WRITE_QUEUE_LEN_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Busy(
                    format!("{WRITE_QUEUE_LEN_MAX} writes were queued for the whole time-out")
                        .into(),
                ));
            }
            queue = self.room.wait_timeout(queue, left).unpoisoned().0;
        }
        job.seat.put(queue.batches, queue.jobs.len());
        queue.jobs.push_back(job);
        Ok(!std::mem::replace(&mut queue.is_led, true))
    }

    /// Carries one batch through, then names the next leader. It waits for its turn no longer than the
    /// most hasty of the queue; whose time is over is told so, the rest stay queued.
    fn lead(&self) {
        self.enter_stage(Stage::Turn);
        match self.side.enter(self.first_deadline()) {
            Ok(pass) => {
                if let Some(waited) = pass.waited() {
                    self.tally.turn_waited(waited);
                }
                let batch = self.take_batch();
                // Empty when all of them gave up meanwhile.
                if !batch.is_empty() {
                    self.carry(batch, || drop(pass));
                }
            }
            Err(error) => self.give_up(Vec::new(), &error),
        }
        self.hand_over();
    }

    fn first_deadline(&self) -> Instant {
        let queue = self.queue();
        queue.jobs.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now)
    }

    /// Tells those whose time is over, or all when it is not time that is missing: of the batch that was
    /// taken and, without one, of the queue. The others of the batch are queued again at the front.
    fn give_up(&self, batch: Vec<Arc<Job>>, error: &Error) {
        let now = Instant::now();
        let is_patient = |job: &Arc<Job>| matches!(error, Error::Busy(_)) && job.deadline > now;
        let mut queue = self.queue();
        let waiting = if batch.is_empty() { queue.jobs.drain(..).collect() } else { batch };
        let (patient, hasty): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_patient);
        queue.put_back(patient);
        drop(queue);
        self.room.notify_all();
        self.finish_all(&hasty, error);
    }

    /// Runs a batch to its answers. `leave` opens the turnstile to the next process.
    fn carry(&self, mut batch: Vec<Arc<Job>>, leave: impl FnOnce()) {
        let mut connection = self.connection();
        if self.side.is_poisoned() {
            leave();
            return self.finish_all(&batch, &Error::Poisoned);
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
        let mut failures = connection.commit(&batch, &self.seats);
        // Those that have not run, since the others took their time, lead the next batch.
        self.queue().put_back(batch.split_off(failures.len()));
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
        self.finish(ready);
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
        self.finish(sleepers.into_iter().map(|(job, _)| (job, failure.clone())));
    }

    /// Answers callers: with the value kept, or with a failure.
    fn finish<'batch>(&self, answers: impl IntoIterator<Item = (&'batch Arc<Job>, Option<Error>)>) {
        let answered = answers.into_iter().map(|(job, failure)| {
            if let Some(error) = failure {
                job.fail(error);
            }
            &job.seat
        });
        self.seats.tell(answered, Told::Answered);
    }

    fn finish_all(&self, batch: &[Arc<Job>], error: &Error) {
        self.finish(batch.iter().map(|job| (job, Some(error.clone()))));
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

    fn take_batch(&self) -> Vec<Arc<Job>> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let mut count = 0;
        for job in queue.jobs.iter().take(WRITE_BATCH_LEN_MAX) {
            bytes += job.options.call.bytes;
            if count > 0 && bytes > WRITE_BATCH_BYTES_MAX {
                break;
            }
            count += 1;
        }
        queue.batches += 1;
        let was_full = queue.jobs.len() >= WRITE_QUEUE_LEN_MAX;
        let batch = queue.jobs.drain(..count).collect();
        if was_full {
            self.room.notify_all();
        }
        batch
    }

    fn hand_over(&self) {
        let mut queue = self.queue();
        match queue.jobs.front() {
            Some(next) => self.seats.tell([&next.seat].into_iter(), Told::Lead),
            None => queue.is_led = false,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unpoisoned()
    }
}
