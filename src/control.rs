//! The calls on a store that act on runs from outside: signals, cancel, pause, retry, fork, limits of
//! queues, and waiting for what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::port::QueueLimits;
use crate::domain::{Durability, control, query, queue, wait};
use crate::error::Result;
use crate::id;
use crate::stop::Stop;
use crate::store::{Entered, Store, wait_end};
use crate::wait::check_timeout;

impl Store {
    /// Sends a message to a run; answers `false` when its idempotency key was used before (P23).
    pub fn signal_send(
        &self,
        run_id: &str,
        name: &str,
        payload: Option<String>,
        key: Option<&str>,
    ) -> Result<bool> {
        let entered = self.enter()?;
        let (run_id, name, key) = (run_id.to_owned(), name.to_owned(), key.map(str::to_owned));
        let payload = payload.unwrap_or_else(|| crate::attempt::NULL.into());
        let is_new = entered.write(Durability::Inherit, payload.len(), move |tx, now| {
            wait::send(tx, &run_id, &name, &payload, key.as_deref(), now)
        })?;
        entered.announce_all()?;
        Ok(is_new)
    }

    /// Cancels a run and everything below it (P26). Returns once the whole tree is cancelled or told to.
    pub fn cancel(&self, run_id: &str, reason: Option<String>) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Durability::Inherit, 0, move |tx, now| {
            control::cancel(tx, &run_id, reason.as_deref(), now)
        })?;
        // What this call does not come to, the sweeps of claims do: the cancel is durable already.
        while entered.write(Durability::Inherit, 0, control_sweep)? {}
        entered.announce_all()
    }

    /// Sets a run aside.
    pub fn pause(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Durability::Inherit, 0, move |tx, _| control::pause(tx, &run_id))?;
        entered.announce_all()
    }

    /// Puts a paused run back.
    pub fn resume(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Durability::Inherit, 0, move |tx, now| control::resume(tx, &run_id, now))?;
        entered.announce_all()
    }

    /// Opens a failed or cancelled run again.
    pub fn retry(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Durability::Inherit, 0, move |tx, now| control::retry(tx, &run_id, now))?;
        entered.announce_all()
    }

    /// Makes a new run that replays what another recorded before a step; returns its id.
    pub fn fork(&self, run_id: &str, from_step: Option<&str>) -> Result<String> {
        let (run_id, from_step) = (run_id.to_owned(), from_step.map(str::to_owned));
        let fork_id = id::new_id();
        let entered = self.enter()?;
        entered.write(Durability::Inherit, 0, move |tx, now| {
            control::fork(tx, &run_id, from_step.as_deref(), fork_id, now)
        })?;
        entered.announce_all()?;
        Ok(id::write("run", fork_id))
    }

    /// Sets the limits of a queue; what the document does not name is lifted.
    pub fn queue_set(&self, name: &str, settings: &str) -> Result<()> {
        let limits = QueueLimits::read(settings)?;
        let entered = self.enter()?;
        loop {
            let name = name.to_owned();
            let has_more = entered
                .write(Durability::Inherit, 0, move |tx, _| queue::set(tx, &name, &limits))?;
            if !has_more {
                return entered.announce_all();
            }
        }
    }

    /// Waits for a run to end and returns its document; `None` when the time is over first.
    pub fn run_wait(
        self: &Arc<Self>,
        run_id: &str,
        timeout_ms: i64,
        stop: Option<&Stop>,
    ) -> Result<Option<String>> {
        check_timeout(timeout_ms)?;
        let entered = self.enter()?;
        let until = wait_end(timeout_ms);
        let mut seen = entered.changes();
        loop {
            let document = entered.backend()?.read(|tx| query::run_get_ended(tx, run_id))?;
            if document.is_some() {
                return Ok(document);
            }
            let left = time_left(until);
            if left.is_zero() || stop.is_some_and(Stop::is_fired) {
                return Ok(None);
            }
            seen = self.wait_once(&entered, seen, left, stop)?;
        }
    }

    /// Waits until the store's count of changes is another than `seen`; returns the count, or `None`
    /// when the time is over first.
    pub fn wait_for_change(
        self: &Arc<Self>,
        seen: u64,
        timeout_ms: i64,
        stop: Option<&Stop>,
    ) -> Result<Option<u64>> {
        check_timeout(timeout_ms)?;
        let entered = self.enter()?;
        let until = wait_end(timeout_ms);
        loop {
            let now = entered.changes();
            if now != seen {
                return Ok(Some(now));
            }
            let left = time_left(until);
            if left.is_zero() || stop.is_some_and(Stop::is_fired) {
                return Ok(None);
            }
            self.wait_once(&entered, seen, left, stop)?;
        }
    }

    /// Sleeps until something changes or comes due by itself; what has come due is swept, so that it
    /// counts as a change. Returns the count of changes.
    pub(crate) fn wait_once(
        &self,
        entered: &Entered<'_>,
        seen: u64,
        left: Duration,
        stop: Option<&Stop>,
    ) -> Result<u64> {
        self.check_open()?;
        let sleep = self.sweep(entered)?.min(left);
        let now = entered.backend()?.side().wait_for_change(seen, sleep, stop);
        self.check_open()?;
        Ok(now)
    }
}

/// One bounded step of ending the children of cancelled runs.
fn control_sweep(
    tx: &mut crate::storage::sqlite::tx::Tx<'_>,
    now: crate::clock::Now,
) -> Result<bool> {
    control::sweep_cascades(tx, now)
}

fn time_left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()))
}

impl Entered<'_> {
    /// Returns the store's count of changes.
    pub(crate) fn changes(&self) -> u64 {
        self.backend().map_or(0, |backend| backend.side().changes())
    }
}

impl Store {
    /// Returns the store's count of changes.
    pub fn changes(&self) -> Result<u64> {
        Ok(self.enter()?.changes())
    }
}
