//! A write as it waits to be done: its work, what was asked of it, and the seat of its caller.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use super::WriteOptions;
use super::seat::Seat;
use crate::clock::{Clock, Now};
use crate::domain::Durability;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

/// A backend, whose writes these are.
pub trait Kind: 'static {
    /// A transaction of it.
    type Tx<'conn>;
}

/// One write. The leader knows it without the type of its answer, its caller with it.
pub struct Job<K: Kind, Inside: ?Sized = dyn Run<K>> {
    /// How it wants to be handled.
    pub options: WriteOptions,
    /// When its caller gives up.
    pub deadline: Instant,
    /// Where its caller waits.
    pub seat: Seat,
    /// Microseconds that its work took, the last time it ran.
    took_us: AtomicU64,
    kind: PhantomData<fn(K)>,
    inside: Mutex<Inside>,
}

/// What a job does, and keeps for its caller.
pub trait Run<K: Kind>: Send {
    /// Runs the work and keeps its value; the error says that nothing of it may stay.
    fn run(&mut self, tx: &mut K::Tx<'_>, clock: &Clock) -> Result<()>;
    /// Keeps an error in place of the value.
    fn fail(&mut self, error: Error);
    /// Forgets its reading of the clock.
    fn forget_time(&mut self);
}

/// Work, and the value it came to.
pub struct Slot<T, Work> {
    work: Work,
    now: Option<Now>,
    value: Option<Result<T>>,
}

impl<K: Kind, T, Work> Job<K, Slot<T, Work>> {
    /// Makes a job, whose caller is this thread.
    pub fn new(options: WriteOptions, deadline: Instant, work: Work) -> Self {
        let inside = Mutex::new(Slot { work, now: None, value: None });
        let (seat, took_us) = (Seat::new(), AtomicU64::new(0));
        Job { options, deadline, seat, took_us, kind: PhantomData, inside }
    }

    /// Takes the answer, once it was given.
    pub fn answer(&self) -> Result<T> {
        let value = self.inside().value.take();
        value.unwrap_or_else(|| Err(Error::internal("a write was never answered")))
    }
}

impl<K: Kind, Inside: ?Sized> Job<K, Inside> {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unpoisoned()
    }
}

impl<K: Kind> Job<K> {
    /// Runs the work and keeps its value; the error says that nothing of it may stay.
    pub fn run(&self, tx: &mut K::Tx<'_>) -> Result<()> {
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

    /// Has its work read the clock anew when it is next run: nothing came of it so far.
    pub fn forget_time(&self) {
        self.inside().forget_time();
    }

    /// Keeps an error as the answer; its caller is not told yet.
    pub fn fail(&self, error: Error) {
        self.inside().fail(error);
    }

    /// Returns whether a good answer waits for the sync.
    pub fn needs_sync(&self) -> bool {
        self.options.call.durability != Durability::Process
    }
}

impl<K, T, Work> Run<K> for Slot<T, Work>
where
    K: Kind,
    T: Send,
    Work: FnMut(&mut K::Tx<'_>, Now) -> Result<T> + Send,
{
    fn run(&mut self, tx: &mut K::Tx<'_>, clock: &Clock) -> Result<()> {
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

    fn forget_time(&mut self) {
        self.now = None;
    }
}
