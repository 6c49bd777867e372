//! The connections of one handle: made when first needed, lent for one transaction.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::connect::{Common, Connection};
use super::url::Place;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

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
    pub(super) fn forget_idle(&self) {
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
