//! Parking a run on what its attempt waits for.

use super::attempt::{Finish, close_attempt, leave, stop_run};
use super::hold::held_task;
use super::news::{News, Queues};
use super::port::{Ended, Fence, Port, RunKey, Target, Task, TaskState};
use super::wait::{self, Ask, Missing, Wait};
use super::{budget, queue, step};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::{BUDGET_ASK_PAUSE_MS_MAX, BUDGET_WAKE_PAUSE_MS, WAITS_PARKED_MAX};

/// One call of an attempt that answered "not yet".
#[derive(Debug, Clone)]
pub enum Pending {
    /// A sleep, or an await of signals and children.
    Ask(Ask),
    /// A step that may be tried again at this moment.
    Retry(i64),
    /// A reserve: units of the budget, and how much of each must have room, all at once.
    Room(Vec<(String, i64)>),
}

/// What an attempt brings to its suspend.
#[derive(Debug, Clone, Default)]
pub struct Parking {
    /// What answered "not yet" and was not answered otherwise since.
    pub pending: Vec<Pending>,
    /// Whether a step is begun and neither finished nor freed.
    pub has_open_step: bool,
}

impl Parking {
    fn check(&self) -> Result<()> {
        if self.has_open_step {
            return Err(Error::conflict("a step is begun and neither finished nor freed"));
        }
        if self.pending.is_empty() {
            return Err(Error::conflict(
                "nothing that the attempt asked answered SW_SUSPEND or SW_ERR_BUDGET: there is nothing to wait for",
            ));
        }
        Ok(())
    }

    /// Asks everything once more, by the rules that answer it; returns what is left to wait for, or
    /// `None` when one of them would be answered now.
    fn left(&self, port: &mut dyn Port, run_key: RunKey, now: Now) -> Result<Option<Vec<Wait>>> {
        let mut waits = Vec::with_capacity(self.pending.len());
        for pending in &self.pending {
            let left = match pending {
                Pending::Ask(ask) => wait::left(port, ask, now)?,
                Pending::Retry(at_ms) => step::backs_off(*at_ms, now)
                    .then(|| Wait { at_ms: Some(*at_ms), ..Wait::default() }),
                Pending::Room(room) => budget::short(port, run_key, room)?.map(|_| Wait::default()),
            };
            let Some(left) = left else { return Ok(None) };
            waits.push(left);
        }
        let count: usize = waits.iter().map(|wait| wait.targets.len()).sum();
        if count > WAITS_PARKED_MAX {
            return Err(Error::conflict(format!(
                "the attempt waits for {count} signals and children, at most {WAITS_PARKED_MAX} are allowed"
            )));
        }
        Ok(Some(waits))
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
    let left = parking.left(port, fence.run_key, now)?;
    close_attempt(port, &task, Ended::Suspended, None, now)?;
    leave(port, &task)?;
    match left {
        _ if task.is_pause_asked => {
            let due_at_ms = now.wall_ms;
            port.task_yield(&Task { state: TaskState::Paused, due_at_ms, ..task })?;
            port.tell(News::CHANGED);
        }
        None => {
            let task = Task { state: TaskState::Ready, due_at_ms: now.wall_ms, ..task };
            port.task_yield(&task)?;
            queue::enter_task(port, &task)?;
        }
        Some(waits) => {
            let room_at_ms = wait_for_room(port, &task, &parking.pending, now)?;
            park(port, fence.run_key, &waits, room_at_ms, now)?;
            // A run that waits is no change; but its timer may be the next to come due.
            let queue = port.queue_of(task.lane_key)?;
            port.tell(News::due_earlier(Queues::named(&queue)));
        }
    }
    Ok(Finish::Suspended)
}

/// Looks whether this attempt was parked before; the number of an attempt is never given twice.
fn suspended_before(port: &mut dyn Port, fence: Fence) -> Result<Option<Finish>> {
    let attempt = port.attempt_ended(fence.run_key, fence.number)?;
    // With an error it was not a suspend that stopped it: the lease had lapsed.
    let is_lost = attempt.as_ref().is_some_and(|attempt| attempt.error.is_some());
    Ok(match attempt.map(|attempt| attempt.ended) {
        Some(Ended::Suspended) => Some(Finish::Suspended),
        Some(ended @ (Ended::Cancelled | Ended::TimedOut)) if !is_lost => {
            Some(Finish::Stopped(ended))
        }
        _ => None,
    })
}

fn park(
    port: &mut dyn Port,
    run_key: RunKey,
    waits: &[Wait],
    room_at_ms: Option<i64>,
    now: Now,
) -> Result<()> {
    // One countdown per task: with two awaits of all, each member wakes the run, which asks again.
    let is_counted = waits.iter().filter(|wait| wait.needs_all).count() == 1;
    let (mut targets, mut sleeps) = (Vec::new(), Vec::new());
    let (mut count, mut wake_at_ms) = (0, room_at_ms);
    for wait in waits {
        let is_counted = wait.needs_all && is_counted;
        let left = |missing: &Missing| if is_counted { missing.count } else { 0 };
        targets.extend(wait.targets.iter().map(|missing| (&missing.target, left(missing))));
        if is_counted {
            count += u32::try_from(wait.targets.len()).unwrap_or(u32::MAX);
            sleeps.extend(wait.after_ms.map(Target::Time));
        }
        wake_at_ms = wait.at_ms.into_iter().chain(wake_at_ms).min();
    }
    targets.extend(sleeps.iter().map(|sleep| (sleep, 0)));
    if !targets.is_empty() {
        port.waits_insert(run_key, &targets)?;
    }
    port.task_park(run_key, wake_at_ms, count, now.wall_ms)
}

/// Waits for room; returns when to ask again if what the attempt itself gave back has made some, as
/// its next attempt may take that first: later each time, since nothing but that has changed.
fn wait_for_room(
    port: &mut dyn Port,
    task: &Task,
    pending: &[Pending],
    now: Now,
) -> Result<Option<i64>> {
    let mut ask_at_ms = None;
    for pending in pending {
        let Pending::Room(room) = pending else { continue };
        // One unit is enough to wait for: when that has room, the run asks for all of them again.
        match budget::short(port, task.run_key, room)? {
            Some((root_key, unit, amount)) => {
                port.room_wait_insert(root_key, &unit, task.run_key, amount)?;
            }
            None => {
                let pause_ms = BUDGET_WAKE_PAUSE_MS.saturating_mul(task.fence.into());
                let pause_ms = pause_ms.min(BUDGET_ASK_PAUSE_MS_MAX);
                ask_at_ms = Some(now.wall_ms.saturating_add(pause_ms));
            }
        }
    }
    Ok(ask_at_ms)
}
