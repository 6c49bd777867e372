//! The connections of one handle: made when first needed, lent for one transaction.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::connect::Connection;
use super::memory::Common;
use super::url::Place;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

/// How long a server is left alone that cannot be reached, before the next try.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What came of a try.
pub(super) enum Tried<T> {
    /// The answer.
    Done(Result<T>),
    /// Nothing is stored, or it is in doubt what is, and another try may do better than this error.
    Again(Error),
}

/// The connections of one handle.
pub(super) struct Pool {
    place: Place,
    common: Arc<Common>,
    max: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

impl Pool {
    /// Makes a pool of at most `max` connections, with this one open.
    pub(super) fn new(place: Place, common: Arc<Common>, max: usize, first: Connection) -> Pool {
        let state = Mutex::new(State { idle: vec![first], lent: 0 });
        Pool { place, common, max, state, freed: Condvar::new() }
    }

    /// Lends a connection, waiting for one until the deadline.
    pub(super) fn lend(&self, deadline: Instant) -> Result<Lent<'_>> {
        let mut state = self.state.lock().unpoisoned();
        loop {
            if let Some(conn) = state.idle.pop() {
                state.lent += 1;
                return Ok(Lent { pool: self, conn: Some(conn) });
            }
            if state.lent < self.max {
                state.lent += 1;
                drop(state);
                // Counted as lent from here on, and back by the drop if it cannot be made.
                let mut lent = Lent { pool: self, conn: None };
                lent.conn = Some(self.connect(deadline)?);
                return Ok(lent);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Busy(
                    format!("all {} connections were in use for the whole time-out", self.max)
                        .into(),
                ));
            }
            state = self.freed.wait_timeout(state, left).unpoisoned().0;
        }
    }

    /// Tries until it is done or the time is over. A connection that was cut is let go, and those that lay
    /// beside it.
    pub(super) fn until_done<T>(
        &self,
        deadline: Instant,
        mut attempt: impl FnMut(&mut Connection, Duration) -> Tried<T>,
    ) -> Result<T> {
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            let mut lent = match self.lend(deadline) {
                Err(error) if error.is_retryable() && Instant::now() + RETRY_AFTER < deadline => {
                    std::thread::sleep(RETRY_AFTER);
                    continue;
                }
                lent => lent?,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match attempt(lent.conn()?, left) {
                Tried::Done(answer) => return answer,
                Tried::Again(error) => error,
            };
            let is_cut = !lent.conn()?.is_good();
            drop(lent);
            if is_cut {
                self.forget_idle();
            }
            // One that was cut in its sleep is nothing; one more is a server, or a way to it, in trouble.
            if is_cut && !is_first {
                std::thread::sleep(RETRY_AFTER.min(left));
            }
            if Instant::now() >= deadline {
                return Err(error);
            }
        }
        Err(Error::internal("a try without end has ended"))
    }

    fn connect(&self, deadline: Instant) -> Result<Connection> {
        let left = deadline.saturating_duration_since(Instant::now());
        Connection::again(&self.place, &self.common, left)
    }

    fn put_back(&self, conn: Option<Connection>) {
        let mut state = self.state.lock().unpoisoned();
        state.lent -= 1;
        state.idle.extend(conn);
        drop(state);
        self.freed.notify_one();
    }

    /// Closes those that nobody uses: one that was cut has been in company.
    fn forget_idle(&self) {
        let idle = std::mem::take(&mut self.state.lock().unpoisoned().idle);
        drop(idle);
    }
}

/// A connection on loan. Put back by its drop, also when the work panics; closed where a transaction is
/// still open on it.
pub(super) struct Lent<'pool> {
    pool: &'pool Pool,
    conn: Option<Connection>,
}

impl Lent<'_> {
    /// Returns the connection.
    pub(super) fn conn(&mut self) -> Result<&mut Connection> {
        self.conn.as_mut().ok_or_else(|| Error::internal("a connection was lent and is not there"))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.put_back(self.conn.take().filter(Connection::is_good));
    }
}
