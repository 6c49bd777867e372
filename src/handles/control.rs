//! The calls on a store that act on runs from outside: cancel, pause, retry, fork, limits of
//! queues, and waiting for what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::domain::news::Swept;
use crate::domain::port::{Port, QueueLimits};
use crate::domain::{Durability, control, query, queue};
use crate::error::{Error, Result};
use crate::handles::entered::{Entered, wait_end};
use crate::handles::store::Store;
use crate::handles::wait::check_timeout;
use crate::id;
use crate::stop::Stop;
use crate::storage::Call;

impl Store {
    /// Cancels a run and everything below it (P26). Returns once the whole tree is cancelled or told to.
    pub fn cancel(&self, run_id: &str, reason: Option<String>) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Call::of("sw_run_cancel"), move |tx, now| {
            control::cancel(tx, &run_id, reason.as_deref(), now)
        })?;
        // Stored it is, whatever comes of this: what is not reached here, the sweeps of claims and
        // waits reach, and until then it is not claimed.
        let _ = self.bring_cancels_down(&entered);
        Ok(())
    }

    /// Ends the descendants of what was cancelled, a bounded part per commit.
    pub(super) fn bring_cancels_down(&self, entered: &Entered<'_>) -> Result<()> {
        loop {
            // Not synced each: what power loss takes is found where it was, and done again.
            let swept =
                entered.write(Call::of("sweep").promising(Durability::Process), control_sweep)?;
            if !swept.has_more {
                return Ok(());
            }
            self.check_open()?;
        }
    }

    /// Sets a run aside.
    pub fn pause(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Call::of("sw_run_pause"), move |tx, now| control::pause(tx, &run_id, now))
    }

    /// Puts a paused run back.
    pub fn resume(&self, run_id: &str) -> Result<()> {
        let run_id = run_id.to_owned();
        let entered = self.enter()?;
        entered.write(Call::of("sw_run_resume"), move |tx, now| control::resume(tx, &run_id, now))
    }

    /// Opens a failed or cancelled run again.
    pub fn retry(&self, run_id: &str) -> Result<()> {
        let entered = self.enter()?;
        loop {
            let run_id = run_id.to_owned();
            let is_open = entered
                .write(Call::of("sw_run_retry"), move |tx, now| control::retry(tx, &run_id, now))?;
            if is_open {
                return Ok(());
            }
            self.bring_cancels_down(&entered)?;
        }
    }

    /// Makes a new run that replays what another recorded before a step, or, with an empty name, all of
    /// it; returns its id.
    pub fn fork(&self, run_id: &str, from_step: Option<&str>) -> Result<String> {
        let entered = self.enter()?;
        let key_of = |step: &str| match step {
            "" => Ok(i64::MAX),
            step => entered.read(|tx| control::step_of(tx, run_id, step)),
        };
        let before = from_step.map(key_of).transpose()?;
        let (run_id, fork_id) = (run_id.to_owned(), id::new_id());
        entered.write(Call::of("sw_run_fork"), move |tx, now| {
            control::fork(tx, &run_id, before, fork_id, now)
        })?;
        Ok(id::write("run", fork_id))
    }

    /// Sets the limits of a queue; what the document does not name is lifted.
    pub fn queue_set(&self, name: &str, settings: &str) -> Result<()> {
        let (call, limits) = (Call::of("sw_queue_set"), QueueLimits::read(settings)?);
        let entered = self.enter()?;
        let queue = name.to_owned();
        entered.write(call.clone(), move |tx, _| queue::set(tx, &queue, &limits))?;
        let mut after = Some(String::new());
        while let Some(at) = after {
            let queue = name.to_owned();
            let let_in = entered.write(call.clone(), move |tx, _| queue::let_in(tx, &queue, &at));
            // The limits hold already, which a lack of memory would deny.
            after = let_in.map_err(Error::of_a_commit)?;
        }
        Ok(())
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
        loop {
            // Taken before the look, so that whatever is announced after it ends the sleep.
            let rung = entered.backend()?.change_seen();
            let ended = |tx: &mut dyn Port| query::run_get_ended(tx, run_id);
            if let Some(document) = entered.read(ended)? {
                return Ok(Some(document));
            }
            let sleep = self.sweep(&entered)?;
            if !self.sleep(&entered, rung, sleep, until, stop)? {
                // What the sweep has just ended counts.
                return entered.read(ended);
            }
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
        let news = || Ok(Some(entered.changes()?).filter(|now| *now != seen));
        loop {
            let rung = entered.backend()?.change_seen();
            if let Some(now) = news()? {
                return Ok(Some(now));
            }
            // What has come due by itself is a change once it is swept.
            let sleep = self.sweep(&entered)?;
            if !self.sleep(&entered, rung, sleep, until, stop)? {
                return news();
            }
        }
    }

    /// Sleeps until the bell of changes is rung after `rung` or something comes due; answers `false`
    /// when the wait is over: its time, or its stop.
    pub(super) fn sleep(
        &self,
        entered: &Entered<'_>,
        rung: u32,
        until_due: Duration,
        until: Option<Instant>,
        stop: Option<&Stop>,
    ) -> Result<bool> {
        self.check_open()?;
        let left = until.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        if left.is_zero() || stop.is_some_and(Stop::is_fired) {
            return Ok(false);
        }
        entered.backend()?.change_wait(rung, until_due.min(left), stop);
        self.check_open().map(|()| true)
    }
}

/// One bounded step of ending the children of cancelled runs.
fn control_sweep(tx: &mut dyn Port, now: Now) -> Result<Swept> {
    control::sweep_cascades(tx, now)
}

impl Entered<'_> {
    /// Returns the store's count of changes.
    pub(crate) fn changes(&self) -> Result<u64> {
        self.backend()?.changes()
    }
}

impl Store {
    /// Returns the store's count of changes.
    pub fn changes(&self) -> Result<u64> {
        self.enter()?.changes()
    }
}
