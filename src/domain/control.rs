//! Ending runs early and bringing them back: cancel with its cascade, pause, resume, retry, fork.

use super::attempt::stop_run;
use super::find::find;
use super::news::{News, Swept};
use super::output::cancel_error;
use super::port::{Ended, Outcome, Port, RunKey, StepName, Task, TaskState};
use super::queue;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{ANCESTORS_MAX, PAGE_LEN_DEFAULT, SWEEP_CASCADE_MAX};
use crate::plant::{Plant, stands};

/// Cancels a run: at once, or when its running attempt next ends, and all below it (P26). Again is the
/// same for the run.
pub fn cancel(port: &mut dyn Port, run_id: &str, reason: Option<&str>, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    match port.task(run_key)? {
        Some(task) if !task.is_cancel_asked => {
            return cancel_task(port, &task, &cancel_error(reason)?, now);
        }
        Some(_) => {}
        None => match port.run_end(run_key)? {
            Some(end) if end.outcome == Outcome::Cancelled => {}
            _ => return Err(ended_conflict(port, run_key, run_id)?),
        },
    }
    // What was retried below it since is to end as well.
    port.cascades_insert(&[run_key])
}

/// Cancels an open run with the error that it is to store.
pub(super) fn cancel_task(port: &mut dyn Port, task: &Task, error: &str, now: Now) -> Result<()> {
    port.run_set_error(task.run_key, error)?;
    if task.state == TaskState::Running {
        port.tell(News::RECALLED);
        port.task_ask_cancel(task.run_key)?;
        // Its children are ended now: no descendant is claimed after a cancel has returned.
        return port.cascades_insert(&[task.run_key]);
    }
    stop_run(port, task, Ended::Cancelled, now)
}

/// Ends, bounded, the children of runs that were cancelled or timed out. A child that had ended by
/// itself passes the cancel on, since its own children live on without it.
pub fn sweep_cascades(port: &mut dyn Port, now: Now) -> Result<Swept> {
    let Some((run_key, after_key)) = port.cascades(1)?.pop() else { return Ok(Swept::default()) };
    let children = port.children_after(run_key, after_key, SWEEP_CASCADE_MAX)?;
    // Ended, or told to end: what was retried below it since is to end as well.
    let mut passed_on = Vec::new();
    for (child, is_open) in &children {
        // One that was cancelled before may have made room for this one: it is looked at now.
        match if *is_open { port.task(*child)? } else { None } {
            Some(task) if !task.is_cancel_asked && !stands(Plant::SpareChildren) => {
                cancel_task(port, &task, &cancel_error(None)?, now)?;
            }
            Some(_) | None => passed_on.push(*child),
        }
    }
    if !passed_on.is_empty() {
        port.cascades_insert(&passed_on)?;
    }
    let is_done = children.len() < SWEEP_CASCADE_MAX as usize;
    let after_key = children.last().filter(|_| !is_done).map(|(child, _)| *child);
    port.cascade_set(run_key, after_key)?;
    Ok(Swept { has_moved: true, has_more: !port.cascades(1)?.is_empty() })
}

/// How a run stands to the cascades that are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelAbove {
    /// None is to come to it.
    None,
    /// One of an ancestor's has still to come to it.
    Comes,
    /// Too far below to tell: the cascades go first.
    Unknown,
}

/// Returns whether an ancestor was cancelled and its sweep has not come down to this run yet: it is
/// not to be claimed (P26). Asked only while a cascade is under way.
pub(super) fn cancel_above(port: &mut dyn Port, run_key: RunKey) -> Result<CancelAbove> {
    let above = port.ancestry(run_key, ANCESTORS_MAX)?;
    Ok(if above.iter().any(|ancestor| ancestor.is_ending_it) {
        CancelAbove::Comes
    } else if above.len() == ANCESTORS_MAX as usize {
        CancelAbove::Unknown
    } else {
        CancelAbove::None
    })
}

/// Ends a run whose ancestor was cancelled, before the sweep comes to it.
pub(super) fn end_below_cancel(port: &mut dyn Port, run_key: RunKey, now: Now) -> Result<()> {
    match port.task(run_key)? {
        Some(task) => cancel_task(port, &task, &cancel_error(None)?, now),
        None => Ok(()),
    }
}

/// Sets a run aside, at once or when its running attempt next ends unfinished. One that waits is due
/// from now on, as nothing but the pause holds it back.
pub fn pause(port: &mut dyn Port, run_id: &str, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    let Some(task) = port.task(run_key)? else {
        return Err(ended_conflict(port, run_key, run_id)?);
    };
    match task.state {
        TaskState::Paused => Ok(()),
        TaskState::Running => port.task_ask_pause(run_key, true),
        TaskState::Delayed | TaskState::Ready | TaskState::Waiting | TaskState::Blocked => {
            let waits = task.state == TaskState::Waiting;
            port.tell(News::CHANGED);
            port.task_set_aside(&Task {
                state: TaskState::Paused,
                due_at_ms: if waits { task.due_at_ms.max(now.wall_ms) } else { task.due_at_ms },
                wake_at_ms: None,
                ..task.clone()
            })?;
            queue::left(port, &task)
        }
    }
}

/// Puts a paused run back: one that waited asks again, and what it waited for answers or parks it
/// anew.
pub fn resume(port: &mut dyn Port, run_id: &str, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    let Some(task) = port.task(run_key)? else {
        return Err(ended_conflict(port, run_key, run_id)?);
    };
    match task.state {
        TaskState::Paused => {
            let is_due = task.due_at_ms <= now.wall_ms;
            let state = if is_due { TaskState::Ready } else { TaskState::Delayed };
            let wake_at_ms = (!is_due).then_some(task.due_at_ms);
            let task = Task { state, wake_at_ms, ..task };
            port.task_set_aside(&task)?;
            queue::enter_task(port, &task)
        }
        TaskState::Running => port.task_ask_pause(run_key, false),
        TaskState::Delayed | TaskState::Ready | TaskState::Waiting | TaskState::Blocked => Ok(()),
    }
}

/// Opens a failed or cancelled run again: results are kept, memoised failures, tries and the time-out
/// begin anew; attempts go on being numbered, since a number is a fencing token. Its children stay
/// as they are: each is retried by itself.
///
/// Answers `false`, and changes nothing, while a cancel is on its way down: it came first, so it goes
/// first, and would end what this brings back.
pub fn retry(port: &mut dyn Port, run_id: &str, now: Now) -> Result<bool> {
    let run_key = find(port, run_id)?;
    match port.run_end(run_key)? {
        None => Err(Error::conflict(format!("{run_id} has not ended"))),
        Some(end) if end.outcome == Outcome::Completed => {
            Err(Error::conflict(format!("{run_id} is completed")))
        }
        Some(_) if !port.cascades(1)?.is_empty() => Ok(false),
        Some(end) => {
            let task = port.task_of_run(run_key, now.wall_ms)?;
            port.run_reopen(run_key, end.attempts)?;
            port.task_insert(&Task { fence: end.attempts, ..task.clone() })?;
            queue::enter_task(port, &task)?;
            Ok(true)
        }
    }
}

/// Returns the key of a step of a run: by its id, or the first
/// occurrence of its name, a step's before that of a sleep, an await or a child.
pub fn step_of(port: &mut dyn Port, run_id: &str, step: &str) -> Result<i64> {
    let run_key = find(port, run_id)?;
    let by_id =
        if step.starts_with("step_") { step_by_id(port, run_key, run_id, step)? } else { None };
    match by_id {
        Some(step_key) => Ok(step_key),
        None => port.step_named(run_key, step)?.ok_or_else(|| {
            Error::NotFound(format!("{run_id} has recorded no step {step:?}").into())
        }),
    }
}

/// Ids of steps are computed from their names, so that one is found by looking at all.
fn step_by_id(
    port: &mut dyn Port,
    run_key: RunKey,
    run_id: &str,
    step: &str,
) -> Result<Option<i64>> {
    let id = id::parse("run", run_id).ok_or_else(|| Error::internal("a run without an id"))?;
    let is_it =
        |row: &&StepName| super::query::step_id(id, row.kind, &row.name, row.occurrence) == step;
    let mut after = None;
    loop {
        let mut page = port.step_names_after(run_key, after.as_ref(), PAGE_LEN_DEFAULT)?;
        match (page.iter().find(is_it).map(|row| row.step_key), page.pop()) {
            (None, Some(last)) => after = Some(last),
            (found, _) => return Ok(found),
        }
    }
}

/// Makes a new run of the same workflow and args, which replays what was recorded before
/// one of its records; `None` is the start.
///
/// It is a topmost run of its own. Submits of children that it replays give the children of the first
/// run: it may await them, they stay that run's.
pub fn fork(
    port: &mut dyn Port,
    run_id: &str,
    before: Option<i64>,
    new_id: Id,
    now: Now,
) -> Result<()> {
    let run_key = find(port, run_id)?;
    let fork_key = port.run_copy(run_key, new_id, now.wall_ms)?;
    // Its own root: the limits of its source's tree as they stand, and nothing spent.
    let (source_root, _) = port.root_and_lane(run_key)?;
    port.limits_copy(source_root, fork_key)?;
    if let Some(before) = before {
        port.steps_copy(run_key, fork_key, before)?;
    }
    let task = port.task_of_run(fork_key, now.wall_ms)?;
    port.task_insert(&task)?;
    queue::enter_task(port, &task)
}

fn ended_conflict(port: &mut dyn Port, run_key: RunKey, run_id: &str) -> Result<Error> {
    let outcome = port.run_end(run_key)?.map(|end| outcome_text(end.outcome));
    Ok(Error::conflict(format!("{run_id} is {}", outcome.unwrap_or("gone"))))
}

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
    }
}
