//! Parking a run on what its attempt waits for, and waking it.

use super::attempt::{Finish, close_attempt, held_task, leave, stop_run};
use super::budget;
use super::port::{Ended, Fence, Port, RunKey, Target, Task, TaskState};
use super::wait::{Missing, Wait};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::{BUDGET_WAKE_PAUSE_MS, WAITS_PARKED_MAX};

/// What an attempt brings to its suspend.
#[derive(Debug, Clone, Default)]
pub struct Parking {
    /// What answered "not yet" and was not answered otherwise since.
    pub waits: Vec<Wait>,
    /// Whether a step is begun and neither finished nor freed.
    pub has_open_step: bool,
}

impl Parking {
    fn check(&self) -> Result<()> {
        if self.has_open_step {
            return Err(Error::conflict("a step is begun and neither finished nor freed"));
        }
        if self.waits.is_empty() {
            return Err(Error::conflict(
                "nothing that the attempt asked answered SW_SUSPEND or SW_ERR_BUDGET: there is nothing to wait for",
            ));
        }
        let count: usize = self.waits.iter().map(|wait| wait.targets.len()).sum();
        if count > WAITS_PARKED_MAX {
            return Err(Error::conflict(format!(
                "the attempt waits for {count} signals and children, at most {WAITS_PARKED_MAX} are allowed"
            )));
        }
        Ok(())
    }
}

/// Parks a run on what its attempt waits for, after looking once more; it is claimable as soon as
/// any of that comes true (P24). The fence is checked first, then whether the run was told to end.
pub fn suspend(port: &mut dyn Port, fence: Fence, parking: &Parking, now: Now) -> Result<Finish> {
    let task = match held_task(port, fence) {
        Ok(task) => task,
        Err(lost @ Error::LeaseLost(_)) => return suspended_before(port, fence)?.ok_or(lost),
        Err(other) => return Err(other),
    };
    if let Some(ended) = task.must_end(now.wall_ms) {
        close_attempt(port, &task, ended, None, now)?;
        stop_run(port, &task, ended, now)?;
        return Ok(Finish::Stopped(ended));
    }
    parking.check()?;
    // Before the attempt gives back what it holds itself: that is no room for what it asks beside it.
    let has_room = has_any_room(port, fence.run_key, &parking.waits)?;
    let has_woken = close_attempt(port, &task, Ended::Suspended, None, now)?;
    let is_limited = leave(port, &task)?;
    let is_paused = task.is_pause_asked;
    let has_come = has_room || has_any_come(port, fence.run_key, &parking.waits, now)?;
    let is_ready = !is_paused && has_come;
    if is_paused {
        port.task_yield(&Task { state: TaskState::Paused, ..task })?;
    } else if is_ready {
        port.task_yield(&Task { state: TaskState::Ready, due_at_ms: now.wall_ms, ..task })?;
    } else {
        park(port, fence.run_key, &parking.waits, now)?;
    }
    Ok(Finish::Suspended { has_news: is_limited || is_ready || has_woken })
}

/// Looks whether this attempt was parked before; the number of an attempt is never given twice.
fn suspended_before(port: &mut dyn Port, fence: Fence) -> Result<Option<Finish>> {
    let attempt = port.attempt_ended(fence.run_key, fence.number)?;
    // With an error it was not a suspend that stopped it: the lease had lapsed.
    let is_lost = attempt.as_ref().is_some_and(|attempt| attempt.error.is_some());
    Ok(match attempt.map(|attempt| attempt.ended) {
        Some(Ended::Suspended) => Some(Finish::Suspended { has_news: true }),
        Some(ended @ (Ended::Cancelled | Ended::TimedOut)) if !is_lost => {
            Some(Finish::Stopped(ended))
        }
        _ => None,
    })
}

fn has_any_room(port: &mut dyn Port, run_key: RunKey, waits: &[Wait]) -> Result<bool> {
    for wait in waits.iter().filter(|wait| !wait.room.is_empty()) {
        if budget::short(port, run_key, &wait.room)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_any_come(port: &mut dyn Port, run_key: RunKey, waits: &[Wait], now: Now) -> Result<bool> {
    for wait in waits {
        if has_come(port, run_key, wait, now)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether something waited for has come since it was asked.
fn has_come(port: &mut dyn Port, run_key: RunKey, wait: &Wait, now: Now) -> Result<bool> {
    if wait.at_ms.is_some_and(|at| at <= now.wall_ms) {
        return Ok(true);
    }
    if wait.targets.is_empty() {
        return Ok(false);
    }
    for missing in &wait.targets {
        let is_there = left(port, run_key, missing, wait.needs_all)? == 0;
        if is_there != wait.needs_all {
            return Ok(is_there);
        }
    }
    Ok(wait.needs_all && wait.after_ms.is_none_or(|at| at <= now.wall_ms))
}

/// Returns how many of a target are still to come: of all its mentions, or of any one.
fn left(port: &mut dyn Port, run_key: RunKey, missing: &Missing, needs_all: bool) -> Result<u32> {
    Ok(match &missing.target {
        Target::Signal(name) => {
            let count = if needs_all { missing.count } else { 1 };
            let wanted = missing.present.saturating_add(count);
            let there = port.letters(run_key, name, wanted)?.len();
            wanted.saturating_sub(u32::try_from(there).unwrap_or(u32::MAX))
        }
        Target::Child(child_key) => u32::from(port.task(*child_key)?.is_some()),
        Target::Time(_) => 0,
    })
}

fn park(port: &mut dyn Port, run_key: RunKey, waits: &[Wait], now: Now) -> Result<()> {
    // One countdown per task: with two awaits of all, each member wakes the run, which asks again.
    let is_counted = waits.iter().filter(|wait| wait.needs_all).count() == 1;
    let (mut count, mut wake_at_ms) = (0, None);
    for wait in waits {
        count += park_targets(port, run_key, wait, wait.needs_all && is_counted)?;
        let timers =
            [wait.at_ms, last_sleep(port, run_key, wait)?, room(port, run_key, wait, now)?];
        wake_at_ms = timers.into_iter().flatten().chain(wake_at_ms).min();
    }
    port.task_park(run_key, wake_at_ms, count)
}

/// Notes what a wait is for; returns for how many of them it counts down.
fn park_targets(
    port: &mut dyn Port,
    run_key: RunKey,
    wait: &Wait,
    is_counted: bool,
) -> Result<u32> {
    let mut count = 0;
    for missing in &wait.targets {
        let left = if is_counted { left(port, run_key, missing, true)? } else { 0 };
        if is_counted && left == 0 {
            continue;
        }
        port.wait_insert(run_key, &missing.target, left)?;
        count += u32::from(is_counted);
    }
    if let Some(at_ms) = wait.after_ms.filter(|_| is_counted) {
        port.wait_insert(run_key, &Target::Time(at_ms), 0)?;
    }
    Ok(count)
}

/// Returns when the last sleep of all-of ends, if all else has come since it was asked: then nothing
/// that is still to come would wake the run.
fn last_sleep(port: &mut dyn Port, run_key: RunKey, wait: &Wait) -> Result<Option<i64>> {
    if !wait.needs_all || wait.after_ms.is_none() {
        return Ok(None);
    }
    for missing in &wait.targets {
        if left(port, run_key, missing, true)? > 0 {
            return Ok(None);
        }
    }
    Ok(wait.after_ms)
}

/// Waits for room; returns when to ask again if what the attempt itself gave back has made some, as
/// its next attempt may take that first.
fn room(port: &mut dyn Port, run_key: RunKey, wait: &Wait, now: Now) -> Result<Option<i64>> {
    if wait.room.is_empty() {
        return Ok(None);
    }
    // One unit is enough to wait for: when that has room, the run asks for all of them again.
    match budget::short(port, run_key, &wait.room)? {
        Some((root_key, unit, amount)) => {
            port.room_wait_insert(root_key, &unit, run_key, amount)?;
            Ok(None)
        }
        None => Ok(Some(now.wall_ms.saturating_add(BUDGET_WAKE_PAUSE_MS))),
    }
}

/// Wakes whoever waits for something that has come; returns whether a run woke, or will at a moment
/// that is new. Who waits for all of many is only counted down until the last of them (P25).
pub fn wake(port: &mut dyn Port, run_key: RunKey, target: &Target, now: Now) -> Result<bool> {
    let mut has_woken = false;
    for (waiter, is_counted) in port.waits_take(run_key, target)? {
        if is_counted && port.wait_count_down(waiter)? > 0 {
            continue;
        }
        if !is_counted || !sleeps_on(port, waiter, now)? {
            port.task_wake(waiter, now.wall_ms)?;
        }
        has_woken = true;
    }
    Ok(has_woken)
}

/// Lets a run for which all but a sleep has come wake when that is over; returns whether it is not.
fn sleeps_on(port: &mut dyn Port, waiter: RunKey, now: Now) -> Result<bool> {
    let Some(at_ms) = port.wait_time(waiter)?.filter(|at_ms| *at_ms > now.wall_ms) else {
        return Ok(false);
    };
    let deadline_ms = port.task(waiter)?.and_then(|task| task.wake_at_ms);
    port.task_park(waiter, Some(deadline_ms.map_or(at_ms, |deadline| deadline.min(at_ms))), 0)?;
    Ok(true)
}
