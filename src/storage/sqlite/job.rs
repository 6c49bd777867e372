//! A write as it waits to be done: its work, what was asked of it, and the seat of its caller.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::tx::Tx;
use crate::clock::{Clock, Now};
use crate::domain::Durability;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::storage::WriteOptions;

/// One write. The leader knows it without the type of its answer, its caller with it.
pub struct Job<Inside: ?Sized = dyn Run> {
    /// How it wants to be handled.
    pub options: WriteOptions,
    /// When its caller gives up.
    pub deadline: Instant,
    /// Where its caller waits.
    pub seat: Seat,
    /// Microseconds that its work took, the last time it ran.
    took_us: AtomicU64,
    inside: Mutex<Inside>,
}

/// What a job does, and keeps for its caller.
pub trait Run: Send {
    /// Runs the work and keeps its value; the error says that nothing of it may stay.
    fn run(&mut self, tx: &mut Tx<'_>, clock: &Clock) -> Result<()>;
    /// Keeps an error in place of the value.
    fn fail(&mut self, error: Error);
}

/// Work, and the value it came to.
pub struct Slot<T, Work> {
    work: Work,
    now: Option<Now>,
    value: Option<Result<T>>,
}

impl<T, Work> Job<Slot<T, Work>> {
    /// Makes a job, whose caller is this thread.
    pub fn new(options: WriteOptions, deadline: Instant, work: Work) -> Self {
        let inside = Mutex::new(Slot { work, now: None, value: None });
        Job { options, deadline, seat: Seat::new(), took_us: AtomicU64::new(0), inside }
    }

    /// Takes the answer, once it was given.
    pub fn answer(&self) -> Result<T> {
        let value = self.inside().value.take();
        value.unwrap_or_else(|| Err(Error::internal("a write was never answered")))
    }
}

impl<Inside: ?Sized> Job<Inside> {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unpoisoned()
    }
}

impl Job {
    /// Runs the work and keeps its value; the error says that nothing of it may stay.
    pub fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        let started = Instant::now();
        let verdict = self.inside().run(tx, &self.options.clock);
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.took_us.store(took_us, Ordering::Relaxed);
        verdict
    }

    /// Returns whose it is, and how many microseconds its work took.
    pub fn cost(&self) -> (&'static str, u64) {
        (self.options.call.name, self.took_us.load(Ordering::Relaxed))
    }

    /// Answers the caller: with the value kept, or with `failure`.
    pub fn finish(&self, failure: Option<Error>) {
        if let Some(error) = failure {
            self.inside().fail(error);
        }
        self.seat.open(Call::Answered);
    }

    /// Returns whether a good answer waits for the sync.
    pub fn needs_sync(&self) -> bool {
        self.options.call.durability != Durability::Process
    }
}

impl<T, Work> Run for Slot<T, Work>
where
    T: Send,
    Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>, clock: &Clock) -> Result<()> {
        let now = *self.now.get_or_insert_with(|| clock.now());
        let work = &mut self.work;
        let value = catch_unwind(AssertUnwindSafe(|| work(tx, now)))
            .unwrap_or_else(|panic| Err(Error::of_panic(panic)));
        let verdict = value.as_ref().map(|_| ()).map_err(Error::clone);
        self.value = Some(value);
        verdict
    }

    fn fail(&mut self, error: Error) {
        self.value = Some(Err(error));
    }
}

/// Where the caller of a job sleeps until it is answered or called to lead.
pub struct Seat {
    call: AtomicU8,
    sleeper: Thread,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nothing yet.
    None = 0,
    /// To lead the next batch.
    Lead = 1,
    /// Its answer is there.
    Answered = 2,
}

impl Seat {
    fn new() -> Seat {
        Seat { call: AtomicU8::new(Call::None as u8), sleeper: std::thread::current() }
    }

    /// Tells the caller.
    pub fn open(&self, call: Call) {
        self.call.store(call as u8, Ordering::Release);
        // A caller that leads is awake: waking it would leave it a token that ends its next park.
        if self.sleeper.id() != std::thread::current().id() {
            self.sleeper.unpark();
        }
    }

    /// Returns whether the caller was told something that it has not heard yet.
    pub fn is_open(&self) -> bool {
        self.call.load(Ordering::Acquire) != Call::None as u8
    }

    /// Waits for a call; `None` when there is none at the deadline.
    pub fn wait(&self, deadline: Option<Instant>) -> Call {
        loop {
            match self.call.load(Ordering::Acquire) {
                call if call == Call::Lead as u8 => {
                    // Taken: whoever leads and is not answered waits again.
                    self.call.store(Call::None as u8, Ordering::Release);
                    return Call::Lead;
                }
                call if call == Call::Answered as u8 => return Call::Answered,
                _ => {}
            }
            let Some(deadline) = deadline else {
                std::thread::park();
                continue;
            };
            match deadline.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Call::None,
                left => std::thread::park_timeout(left),
            }
        }
    }
}
