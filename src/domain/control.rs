//! Ending runs early and bringing them back: cancel with its cascade, pause, resume, retry, fork.

use super::attempt::stop_run;
use super::port::{Ended, Outcome, Port, RunKey, Task, TaskState};
use super::wait::cancel_error;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::SWEEP_CASCADE_MAX;

fn find(port: &mut dyn Port, run_id: &str) -> Result<RunKey> {
    let not_found = || Error::NotFound(format!("no run has the id {run_id:?}").into());
    let id = id::parse("run", run_id).ok_or_else(not_found)?;
    port.run_by_id(id)?.ok_or_else(not_found)
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

/// Cancels a run: at once, or when its running attempt next ends (P26). Again is the same as once.
pub fn cancel(port: &mut dyn Port, run_id: &str, reason: Option<&str>, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    match port.task(run_key)? {
        Some(task) if task.is_cancel_asked => Ok(()),
        Some(task) => cancel_task(port, &task, &cancel_error(reason), now),
        None => match port.run_end(run_key)? {
            Some(end) if end.outcome == Outcome::Cancelled => Ok(()),
            _ => Err(ended_conflict(port, run_key, run_id)?),
        },
    }
}

/// Cancels an open run with the error that it is to store.
pub(super) fn cancel_task(port: &mut dyn Port, task: &Task, error: &str, now: Now) -> Result<()> {
    port.task_ask_cancel(task.run_key, error)?;
    if task.state == TaskState::Running {
        // Its children are ended now: no descendant is claimed after a cancel has returned.
        return port.cascade_insert(task.run_key);
    }
    stop_run(port, task, Ended::Cancelled, now)
}

/// Ends, bounded, the children of runs that were cancelled or timed out. Returns whether more is left.
pub fn sweep_cascades(port: &mut dyn Port, now: Now) -> Result<bool> {
    let Some((run_key, after_key)) = port.cascades(1)?.pop() else { return Ok(false) };
    let children = port.children_after(run_key, after_key, SWEEP_CASCADE_MAX)?;
    for child in &children {
        if let Some(task) = port.task(*child)?
            && !task.is_cancel_asked
        {
            cancel_task(port, &task, &cancel_error(None), now)?;
        }
    }
    let is_done = children.len() < SWEEP_CASCADE_MAX as usize;
    let after_key = children.last().filter(|_| !is_done).copied();
    port.cascade_set(run_key, after_key)?;
    Ok(!port.cascades(1)?.is_empty())
}

/// Sets a run aside, at once or when its running attempt next ends unfinished.
pub fn pause(port: &mut dyn Port, run_id: &str) -> Result<()> {
    let run_key = find(port, run_id)?;
    let Some(task) = port.task(run_key)? else {
        return Err(ended_conflict(port, run_key, run_id)?);
    };
    match task.state {
        TaskState::Paused => Ok(()),
        TaskState::Running => port.task_ask_pause(run_key, true),
        TaskState::Delayed | TaskState::Ready | TaskState::Waiting | TaskState::Blocked => {
            port.task_set_aside(&Task { state: TaskState::Paused, wake_at_ms: None, ..task })
        }
    }
}

/// Puts a paused run back. What it waited for it asks again.
pub fn resume(port: &mut dyn Port, run_id: &str, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    let Some(task) = port.task(run_key)? else {
        return Err(ended_conflict(port, run_key, run_id)?);
    };
    match task.state {
        TaskState::Paused if task.due_at_ms > now.wall_ms => port.task_set_aside(&Task {
            state: TaskState::Delayed,
            wake_at_ms: Some(task.due_at_ms),
            ..task
        }),
        TaskState::Paused => {
            port.task_set_aside(&Task { state: TaskState::Ready, wake_at_ms: None, ..task })
        }
        TaskState::Running => port.task_ask_pause(run_key, false),
        TaskState::Delayed | TaskState::Ready | TaskState::Waiting | TaskState::Blocked => Ok(()),
    }
}

/// Opens a failed or cancelled run again: results are kept, memoised failures, tries and the time-out
/// begin anew; attempts go on being numbered, since a number is a fencing token.
pub fn retry(port: &mut dyn Port, run_id: &str, now: Now) -> Result<()> {
    let run_key = find(port, run_id)?;
    match port.run_end(run_key)? {
        None => Err(Error::conflict(format!("{run_id} has not ended"))),
        Some(end) if end.outcome == Outcome::Completed => {
            Err(Error::conflict(format!("{run_id} is completed")))
        }
        Some(end) => {
            let task = port.task_of_run(run_key, now.wall_ms)?;
            port.cascade_set(run_key, None)?;
            port.run_reopen(run_key, &Task { fence: end.attempts, ..task })
        }
    }
}

/// Makes a new run of the same workflow and args, which replays what was recorded before a step.
pub fn fork(
    port: &mut dyn Port,
    run_id: &str,
    from_step: Option<&str>,
    new_id: Id,
    now: Now,
) -> Result<()> {
    let run_key = find(port, run_id)?;
    let before = from_step.map(|step| step_named(port, run_key, run_id, step)).transpose()?;
    let fork_key = port.run_copy(run_key, new_id, now.wall_ms)?;
    if let Some(before) = before {
        port.steps_copy(run_key, fork_key, before)?;
    }
    let task = port.task_of_run(fork_key, now.wall_ms)?;
    port.task_insert(&task)
}

/// Returns the key of a step: by its id, or the first occurrence of its name.
fn step_named(port: &mut dyn Port, run_key: RunKey, run_id: &str, step: &str) -> Result<i64> {
    let id = id::parse("run", run_id).ok_or_else(|| Error::internal("a run without an id"))?;
    let mut after = 0;
    loop {
        let page = port.steps_after(run_key, after, SWEEP_CASCADE_MAX)?;
        for (step_key, kind, row) in &page {
            let is_named = row.name == step && row.occurrence == 1;
            if is_named || super::query::step_id(id, *kind, &row.name, row.occurrence) == step {
                return Ok(*step_key);
            }
        }
        match page.last() {
            Some((step_key, ..)) => after = *step_key,
            None => {
                return Err(Error::NotFound(
                    format!("{run_id} has recorded no step {step:?}").into(),
                ));
            }
        }
    }
}
