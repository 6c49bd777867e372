//! The turnstile lets one process at a time write, in order of arrival. SQLite's own lock lets
//! whoever retries at the right moment win, so that one busy process starves the others. Here a
//! writer takes the lock NEXT, then WRITE, then frees NEXT: the holder of NEXT is the only one to
//! wait for WRITE, so nobody can overtake it, and the rest wait for NEXT. While nobody waits, which a
//! word tells, a writer takes WRITE alone: that halves the price of a turn.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{NEXT, Side, TURN_SLICE, Turn, WAITED_WORD, WRITE, show};
use crate::error::{Error, Result};
use crate::os;

/// The right to write, from `Side::enter`. Dropping it lets the next process in.
#[derive(Debug)]
pub struct Pass<'a> {
    // Dropped in this order: the lock is free before this process may come again.
    _write: Option<Held<'a>>,
    _entry: Entry<'a>,
    waited: Option<Duration>,
}

impl Pass<'_> {
    /// Returns how long another process' turn was waited for, if any.
    pub fn waited(&self) -> Option<Duration> {
        self.waited
    }
}

impl Side {
    /// Waits for this process' turn to write, in order of arrival among processes.
    ///
    /// Tries at least once, even after the deadline. One thread of the process at a time.
    ///
    /// # Errors
    /// `Busy` after the deadline, `Forked` in a child, `Io` when the system gives no locks.
    pub fn enter(&self, deadline: Instant) -> Result<Pass<'_>> {
        let file = self.file()?;
        let entry = Entry::new(&self.is_entered)?;
        let Some(file) = file else {
            return Ok(Pass { _write: None, _entry: entry, waited: None });
        };
        if let Some(write) = self.take_unwaited(file)? {
            return Ok(Pass { _write: Some(write), _entry: entry, waited: None });
        }
        let started = Instant::now();
        let write = self.take_in_order(file, deadline)?;
        Ok(Pass { _write: Some(write), _entry: entry, waited: Some(started.elapsed()) })
    }

    /// Takes WRITE when it is free and nobody waits for it.
    fn take_unwaited(&self, file: BorrowedFd<'_>) -> Result<Option<Held<'_>>> {
        if self.waited().load(Ordering::SeqCst) != 0 {
            return Ok(None);
        }
        let is_taken = os::try_lock(file, WRITE.byte).map_err(|error| self.lock_error(&error))?;
        Ok(is_taken.then(|| Held { side: self, turn: WRITE }))
    }

    /// Queues at NEXT for the right to wait for WRITE.
    fn take_in_order(&self, file: BorrowedFd<'_>, deadline: Instant) -> Result<Held<'_>> {
        let _next = self.take(file, NEXT, deadline)?;
        // Dropped before NEXT is free, so that it never clears the mark of the one who comes after.
        let _waited = Waited::new(self.waited());
        self.take(file, WRITE, deadline)
    }

    /// Takes one lock of the turnstile, sleeping on its word in between.
    fn take<'a>(&'a self, file: BorrowedFd<'_>, turn: Turn, deadline: Instant) -> Result<Held<'a>> {
        let bell = self.turn_bell(turn);
        let mut has_slept = false;
        loop {
            let seen = bell.seen();
            if os::try_lock(file, turn.byte).map_err(|error| self.lock_error(&error))? {
                if has_slept {
                    // A turn wakes one sleeper. This one was it, and cannot know whether it was the
                    // last: so the end of its own turn wakes one more.
                    bell.announce();
                }
                return Ok(Held { side: self, turn });
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(self.busy());
            }
            bell.sleep(seen, TURN_SLICE.min(deadline - now), None);
            has_slept = true;
        }
    }

    pub(super) fn waited(&self) -> &AtomicU32 {
        &self.page.words()[WAITED_WORD]
    }

    /// Names no span: whose time is over has waited for other writes of this process before.
    fn busy(&self) -> Error {
        let path = show(&self.path);
        Error::Busy(
            format!("another process kept the turn to write until time was over (lock in {path})")
                .into(),
        )
    }
}

/// A lock of the turnstile that is held. Dropping it frees the lock and wakes one sleeper.
#[derive(Debug)]
struct Held<'a> {
    side: &'a Side,
    turn: Turn,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // First the lock, then the bell: whoever saw the bell's old count sees the lock free.
        self.side.free(self.turn.byte);
        self.side.turn_bell(self.turn).ring(1);
    }
}

/// Says to every process that one of them waits for WRITE.
#[derive(Debug)]
struct Waited<'a>(&'a AtomicU32);

impl<'a> Waited<'a> {
    fn new(word: &'a AtomicU32) -> Waited<'a> {
        word.store(1, Ordering::SeqCst);
        Waited(word)
    }
}

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// Says that a thread of this process is in the turnstile. The lock cannot: it belongs to the
/// process, and would let a second thread in.
#[derive(Debug)]
struct Entry<'a>(&'a AtomicBool);

impl<'a> Entry<'a> {
    fn new(is_entered: &'a AtomicBool) -> Result<Entry<'a>> {
        if is_entered.swap(true, Ordering::SeqCst) {
            return Err(Error::internal("two threads of one process entered the turnstile"));
        }
        Ok(Entry(is_entered))
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
