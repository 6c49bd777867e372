//! Waking runs that are parked.

use super::news::{News, Queues};
use super::port::{Port, RunKey, Target, Waiter, WokenFor};
use super::queue::wake_tasks;
use crate::clock::Now;
use crate::error::Result;
use crate::plant::{Plant, stands};

/// Wakes whoever waits for something that has come. Who waits for all of many is only counted down until
/// the last of them (P25).
pub fn wake(port: &mut dyn Port, run_key: RunKey, target: &Target, now: Now) -> Result<()> {
    if stands(Plant::ForgetWake) && matches!(target, Target::Signal(_)) {
        return Ok(());
    }
    let mut ready = Vec::new();
    for waiter in port.waiters(run_key, target)? {
        if waiter.left > 0 {
            continue;
        }
        match waiter.sleeps_until_ms.filter(|at_ms| *at_ms > now.wall_ms) {
            Some(at_ms) => sleep_on(port, waiter, at_ms, now)?,
            None => ready.push(waiter.run_key),
        }
    }
    wake_tasks(port, &ready, WokenFor::Itself, now)
}

/// Lets a run for which all but a sleep has come wake when that is over.
fn sleep_on(port: &mut dyn Port, waiter: Waiter, at_ms: i64, now: Now) -> Result<()> {
    let wake_at_ms = waiter.wake_at_ms.map_or(at_ms, |deadline| deadline.min(at_ms));
    port.task_park(waiter.run_key, Some(wake_at_ms), 0, now.wall_ms)?;
    port.tell(News::due_earlier(Queues::ALL));
    Ok(())
}
