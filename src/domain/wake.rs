//! Waking runs that are parked.

use super::news::{News, Queues};
use super::port::{Port, RunKey, Target};
use super::queue::wake_task;
use crate::clock::Now;
use crate::error::Result;

/// Wakes whoever waits for something that has come. Who waits for all of many is only counted down until
/// the last of them (P25).
pub fn wake(port: &mut dyn Port, run_key: RunKey, target: &Target, now: Now) -> Result<()> {
    for (waiter, is_counted) in port.waits_take(run_key, target)? {
        if is_counted && port.wait_count_down(waiter)? > 0 {
            continue;
        }
        if !is_counted || !sleeps_on(port, waiter, now)? {
            wake_task(port, waiter, now.wall_ms)?;
        }
    }
    Ok(())
}

/// Lets a run for which all but a sleep has come wake when that is over; returns whether it is not.
fn sleeps_on(port: &mut dyn Port, waiter: RunKey, now: Now) -> Result<bool> {
    let Some(at_ms) = port.wait_time(waiter)?.filter(|at_ms| *at_ms > now.wall_ms) else {
        return Ok(false);
    };
    let deadline_ms = port.task(waiter)?.and_then(|task| task.wake_at_ms);
    let wake_at_ms = deadline_ms.map_or(at_ms, |deadline| deadline.min(at_ms));
    port.task_park(waiter, Some(wake_at_ms), 0, now.wall_ms)?;
    port.tell(News::due_earlier(Queues::ALL));
    Ok(true)
}
