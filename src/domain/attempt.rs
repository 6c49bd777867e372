//! Every way in which an attempt can end, and its run with it.

use super::hold::held_task;
use super::input::in_range;
use super::news::{News, Queues};
use super::output::engine_error;
use super::port::{
    Ended, EndedAttempt, Fence, Outcome, Port, RunEnd, RunKey, Target, Task, TaskState,
};
use super::wake::wake;
use super::{budget, queue};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::{DURATION_MS_MAX, INSTANT_MS_MAX};
use crate::plant::{Plant, stands};

/// How a failure is to be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailOptions {
    /// No further try.
    pub is_terminal: bool,
    /// Milliseconds before the next try; 0 leaves it to the policy.
    pub retry_after_ms: i64,
}

impl FailOptions {
    /// Refuses a wait outside its range.
    pub fn check(&self) -> Result<()> {
        in_range("retry_after_ms", self.retry_after_ms, DURATION_MS_MAX)
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFail {
    /// It will be tried again.
    Retry {
        /// When, Unix milliseconds.
        at_ms: i64,
    },
    /// It failed for good.
    Final,
}

/// What an end of an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The run has its result.
    Completed,
    /// The attempt failed.
    Failed(AfterFail),
    /// The attempt gave the run back.
    Released,
    /// The run is parked on what it waits for.
    Suspended,
    /// The end is stored, but the run had been cancelled or had timed out, and ended so.
    Stopped(Ended),
}

/// How an attempt asks to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With this JSON.
    Complete(String),
    /// With this JSON of what went wrong.
    Fail(String, FailOptions),
    /// Given back, claimable after this many milliseconds.
    Release(i64),
}

impl End {
    /// Returns how many payload bytes it writes.
    pub fn bytes(&self) -> usize {
        match self {
            End::Complete(payload) | End::Fail(payload, _) => payload.len(),
            End::Release(_) => 0,
        }
    }

    fn error(&self) -> Option<&str> {
        if let End::Fail(error, _) = self { Some(error) } else { None }
    }
}

/// Ends an attempt as asked, or as its run was told to end. Asked again after an answer that was
/// lost, it finds what it stored and says the same.
pub fn finish(port: &mut dyn Port, fence: Fence, end: &End, now: Now) -> Result<Finish> {
    let task = match held_task(port, fence) {
        Ok(task) => task,
        Err(lost @ Error::LeaseLost(_)) => return repeated(port, fence, end)?.ok_or(lost),
        Err(other) => return Err(other),
    };
    if let Some(ended) = task.must_end(now.wall_ms) {
        close_attempt(port, &task, ended, end.error().map(str::to_owned), now)?;
        stop_run(port, &task, ended, now)?;
        return Ok(Finish::Stopped(ended));
    }
    match end {
        End::Complete(result) => complete(port, &task, result, now),
        End::Fail(error, options) => fail(port, &task, error, *options, now),
        End::Release(delay_ms) => release(port, &task, *delay_ms, now),
    }
}

fn complete(port: &mut dyn Port, task: &Task, result: &str, now: Now) -> Result<Finish> {
    close_attempt(port, task, Ended::Completed, None, now)?;
    let end = RunEnd { result: Some(result.into()), ..run_end(task, Outcome::Completed, now) };
    end_run(port, task, end, now)?;
    Ok(Finish::Completed)
}

fn fail(
    port: &mut dyn Port,
    task: &Task,
    error: &str,
    options: FailOptions,
    now: Now,
) -> Result<Finish> {
    let task = Task { failures: task.failures.saturating_add(1), ..task.clone() };
    let policy = port.run_policy(task.run_key)?;
    if options.is_terminal || task.tries() >= policy.max_tries {
        close_attempt(port, &task, Ended::Failed, None, now)?;
        fail_run(port, &task, error.into(), now)?;
        return Ok(Finish::Failed(AfterFail::Final));
    }
    let wait_ms = match options.retry_after_ms {
        0 => policy.backoff.wait_ms(task.failures, task.run_key),
        named => named,
    };
    close_attempt(port, &task, Ended::Retried, Some(error.into()), now)?;
    let at_ms = yield_task(port, &task, wait_ms, now)?;
    Ok(Finish::Failed(AfterFail::Retry { at_ms }))
}

fn release(port: &mut dyn Port, task: &Task, delay_ms: i64, now: Now) -> Result<Finish> {
    close_attempt(port, task, Ended::Released, None, now)?;
    yield_task(port, task, delay_ms, now)?;
    Ok(Finish::Released)
}

/// Takes back a run whose attempt is gone: its lease lapsed or its owner died. One loss is charged,
/// and with the last try the run fails, so that a run that kills every worker ends (P13).
pub fn lose(port: &mut dyn Port, task: &Task, why: &str, now: Now) -> Result<()> {
    port.tell(News::RECALLED);
    budget::assume(port, task, now)?;
    let error = engine_error("lapsed", why);
    if let Some(ended) = task.must_end(now.wall_ms) {
        close_attempt(port, task, ended, Some(error), now)?;
        return stop_run(port, task, ended, now);
    }
    let lost = u32::from(!stands(Plant::ForgetLoss));
    let task = Task { losses: task.losses.saturating_add(lost), ..task.clone() };
    close_attempt(port, &task, Ended::Lost, Some(error), now)?;
    if task.tries() >= port.run_policy(task.run_key)?.max_tries {
        let message = format!(
            "{} attempts were lost in a row without progress after {} failures: {why}",
            task.losses, task.failures
        );
        return fail_run(port, &task, engine_error("tries", &message), now);
    }
    yield_task(port, &task, 0, now).map(|_| ())
}

/// Ends a run whose time-out has passed while no attempt ran it.
pub fn time_out(port: &mut dyn Port, task: &Task, now: Now) -> Result<()> {
    stop_run(port, task, Ended::TimedOut, now)
}

/// Ends a run that was cancelled or timed out, and has its children ended too (P26).
pub(super) fn stop_run(port: &mut dyn Port, task: &Task, ended: Ended, now: Now) -> Result<()> {
    port.cascades_insert(&[task.run_key])?;
    if ended == Ended::TimedOut {
        return fail_run(port, task, engine_error("timeout", "the run's time-out passed"), now);
    }
    // The reason of a cancel that met a running attempt stands in the run's row already.
    end_run(port, task, run_end(task, Outcome::Cancelled, now), now)
}

fn fail_run(port: &mut dyn Port, task: &Task, error: String, now: Now) -> Result<()> {
    end_run(port, task, RunEnd { error: Some(error), ..run_end(task, Outcome::Failed, now) }, now)
}

/// Ends a run: its task goes, its limits are given back, and a parent that waits for it wakes.
fn end_run(port: &mut dyn Port, task: &Task, end: RunEnd, now: Now) -> Result<()> {
    leave(port, task)?;
    port.run_finish(task.run_key, &end)?;
    queue::left(port, task)?;
    if task.state != TaskState::Running {
        budget::pass_on(port, task, now)?;
    }
    port.tell(News::CHANGED);
    wake(port, task.run_key, &Target::Child(task.run_key), now)
}

/// Gives back what a run that ceases to run held of its queue's limits, and lets the next one in.
pub(super) fn leave(port: &mut dyn Port, task: &Task) -> Result<()> {
    if task.state != TaskState::Running {
        return Ok(());
    }
    match port.running_remove(task.lane_key, task.gate.as_deref())? {
        Some(queue) => {
            port.tell(News::claimable(Queues::named(&queue)));
            queue::give_room(port, &queue, task)
        }
        None => Ok(()),
    }
}

fn run_end(task: &Task, outcome: Outcome, now: Now) -> RunEnd {
    RunEnd {
        outcome,
        finished_at_ms: now.wall_ms,
        attempts: task.fence,
        tries: task.tries(),
        result: None,
        error: None,
    }
}

/// Writes the row of an ended attempt and gives back what it has reserved and not settled.
pub(super) fn close_attempt(
    port: &mut dyn Port,
    task: &Task,
    ended: Ended,
    error: Option<String>,
    now: Now,
) -> Result<()> {
    budget::give_back(port, task, now)?;
    port.attempt_insert(
        task.run_key,
        &EndedAttempt {
            number: task.fence,
            ended,
            worker: task.worker.clone(),
            started_at_ms: task.claimed_at_ms,
            ended_at_ms: now.wall_ms,
            error,
        },
    )
}

/// Puts a task back into its lane after `wait_ms` and returns when it is due.
fn yield_task(port: &mut dyn Port, task: &Task, wait_ms: i64, now: Now) -> Result<i64> {
    leave(port, task)?;
    let at_ms = now.wall_ms.saturating_add(wait_ms).min(INSTANT_MS_MAX);
    let task = if task.is_pause_asked {
        Task { state: TaskState::Paused, wake_at_ms: None, ..task.clone() }
    } else if wait_ms > 0 {
        Task { state: TaskState::Delayed, wake_at_ms: Some(at_ms), ..task.clone() }
    } else {
        Task { state: TaskState::Ready, wake_at_ms: None, ..task.clone() }
    };
    let task = Task { due_at_ms: at_ms, owner_key: None, worker: None, ..task };
    port.task_yield(&task)?;
    queue::enter_task(port, &task)?;
    Ok(at_ms)
}

/// Looks whether this very end was stored before; the number of an attempt is never given twice, so
/// its row can only be this attempt's own.
fn repeated(port: &mut dyn Port, fence: Fence, end: &End) -> Result<Option<Finish>> {
    let Some(attempt) = port.attempt_ended(fence.run_key, fence.number)? else { return Ok(None) };
    Ok(match (attempt.ended, end) {
        (Ended::Completed, End::Complete(result)) => {
            let stored = port.run_end(fence.run_key)?.and_then(|run| run.result);
            (stored.as_deref() == Some(result)).then_some(Finish::Completed)
        }
        (Ended::Failed, End::Fail(error, _)) => {
            let stored = port.run_end(fence.run_key)?.and_then(|run| run.error);
            (stored.as_deref() == Some(error)).then_some(Finish::Failed(AfterFail::Final))
        }
        (Ended::Retried, End::Fail(error, _)) if attempt.error.as_deref() == Some(error) => {
            Some(Finish::Failed(AfterFail::Retry { at_ms: due_at_ms(port, fence.run_key)? }))
        }
        (Ended::Released, End::Release(_)) => Some(Finish::Released),
        // With another error it was not this end: the lease had lapsed.
        (ended @ (Ended::Cancelled | Ended::TimedOut), end) => {
            (attempt.error.as_deref() == end.error()).then_some(Finish::Stopped(ended))
        }
        _ => None,
    })
}

fn due_at_ms(port: &mut dyn Port, run_key: RunKey) -> Result<i64> {
    Ok(port.task(run_key)?.map_or(0, |task| task.due_at_ms))
}
