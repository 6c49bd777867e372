//! The line in which writes wait, and how one of its callers comes to lead.
//!
//! Whoever finds no leader leads: it takes the writes queued so far, carries them through one transaction,
//! answers them and calls the next to lead. The others sleep until their answer is there. So a lone caller
//! pays one commit, sixty-four share one, and no thread of the library's own is needed.
//!
//! Lock order: the queue's mutex is never held while another lock is taken.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::job::{Job, Kind};
use super::seat::{Seat, Seats, Told};
use crate::error::{Error, Result};
use crate::limits::{WRITE_BATCH_BYTES_MAX, WRITE_BATCH_LEN_MAX, WRITE_QUEUE_LEN_MAX};
use crate::lock::Unpoisoned;

/// Writes that wait, and their callers.
pub struct Line<K: Kind> {
    queue: Mutex<Queue<K>>,
    room: Condvar,
    seats: Seats,
}

struct Queue<K: Kind> {
    jobs: VecDeque<Arc<Job<K>>>,
    is_led: bool,
    /// How many batches were taken.
    batches: u64,
}

impl<K: Kind> Queue<K> {
    /// Queues jobs at the front, in their order.
    fn put_back(&mut self, jobs: Vec<Arc<Job<K>>>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }
}

/// Who carries a batch through.
pub trait Leader {
    /// Carries one batch through, and calls the next to lead.
    fn lead(&self);
    /// Says what was in the way of a write whose time is over.
    fn out_of_time(&self) -> Error;
}

impl<K: Kind> Line<K> {
    /// Makes a line in which nobody waits.
    pub fn new() -> Line<K> {
        let queue = Queue { jobs: VecDeque::new(), is_led: false, batches: 0 };
        Line { queue: Mutex::new(queue), room: Condvar::new(), seats: Seats::default() }
    }

    /// Lends the seats of the callers.
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Queues a job, leads where this falls to its caller, and returns once it is answered.
    pub fn see_answered(&self, job: Arc<Job<K>>, leader: &impl Leader) -> Result<()> {
        let deadline = job.deadline;
        if self.enqueue(Arc::clone(&job), deadline)? {
            leader.lead();
        }
        loop {
            match self.seats.wait(&job.seat, Some(deadline)) {
                Told::Answered => return Ok(()),
                Told::Lead => leader.lead(),
                Told::None if self.withdraw(&job) => return Err(leader.out_of_time()),
                Told::None => self.stay(&job.seat, leader),
            }
        }
    }

    /// Waits on after the deadline, for work that is being done: its answer is needed.
    fn stay(&self, seat: &Seat, leader: &impl Leader) {
        if self.seats.wait(seat, None) == Told::Lead {
            leader.lead();
        }
    }

    /// Takes back a job whose time is over, unless it was taken into a batch: then it may get done. Or
    /// unless its caller is to lead, which nobody else will then.
    fn withdraw(&self, job: &Arc<Job<K>>) -> bool {
        let mut queue = self.queue();
        let place = queue.jobs.iter().position(|queued| Arc::ptr_eq(queued, job));
        let Some(place) = place.filter(|_| !job.seat.is_told()) else { return false };
        queue.jobs.remove(place);
        self.room.notify_one();
        true
    }

    /// Queues a job and returns whether its caller is to lead.
    fn enqueue(&self, job: Arc<Job<K>>, deadline: Instant) -> Result<bool> {
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

    /// Returns whether somebody leads.
    pub fn is_led(&self) -> bool {
        self.queue().is_led
    }

    /// Returns until when the most hasty waits.
    pub fn first_deadline(&self) -> Instant {
        let queue = self.queue();
        queue.jobs.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now)
    }

    /// Takes what is to go into one transaction; nothing when all of them gave up meanwhile.
    pub fn take_batch(&self) -> Vec<Arc<Job<K>>> {
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

    /// Queues jobs at the front, in their order.
    pub fn put_back(&self, jobs: Vec<Arc<Job<K>>>) {
        self.queue().put_back(jobs);
    }

    /// Tells those whose time is over, or all when it `is_for_all`: of the batch that was taken and, without
    /// one, of the queue. The others of the batch are queued again at the front.
    pub fn give_up(&self, batch: Vec<Arc<Job<K>>>, error: &Error, is_for_all: bool) {
        let now = Instant::now();
        let mut queue = self.queue();
        let waiting = if batch.is_empty() { queue.jobs.drain(..).collect() } else { batch };
        let is_patient = |job: &Arc<Job<K>>| !is_for_all && job.deadline > now;
        let (patient, hasty): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_patient);
        queue.put_back(patient);
        drop(queue);
        self.room.notify_all();
        self.finish_all(&hasty, error);
    }

    /// Answers callers: with the value kept, or with a failure.
    pub fn finish<'batch>(
        &self,
        answers: impl IntoIterator<Item = (&'batch Arc<Job<K>>, Option<Error>)>,
    ) {
        let answered = answers.into_iter().map(|(job, failure)| {
            if let Some(error) = failure {
                job.fail(error);
            }
            &job.seat
        });
        self.seats.tell(answered, Told::Answered);
    }

    /// Answers callers with a failure.
    pub fn finish_all(&self, batch: &[Arc<Job<K>>], error: &Error) {
        self.finish(batch.iter().map(|job| (job, Some(error.clone()))));
    }

    /// Calls the next to lead, if anybody waits.
    pub fn hand_over(&self) {
        let mut queue = self.queue();
        match queue.jobs.front() {
            Some(next) => self.seats.tell([&next.seat].into_iter(), Told::Lead),
            None => queue.is_led = false,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<K>> {
        self.queue.lock().unpoisoned()
    }
}
