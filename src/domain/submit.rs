//! Submitting runs.

use std::collections::HashSet;

use super::input::{check_object, in_range};
pub use super::port::Submit;
use super::port::{Inserted, Lane, NewRun, OwnerKey, Parent, Port, Task, TaskState};
use super::queue;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{BACKOFF_PERCENT_MAX, DURATION_MS_MAX, INSTANT_MS_MAX, TRIES_MAX};

/// The queue of a submit or claim that names none.
pub const QUEUE_DEFAULT: &str = "default";

/// What a submit answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The run: a new one, or the one whose key matched.
    pub run_id: Id,
    /// Whether the key matched.
    pub existed: bool,
}

impl Submit {
    /// Refuses numbers outside their range and documents of the wrong form.
    pub fn check(&self) -> Result<()> {
        in_range("run_at_ms", self.run_at_ms, INSTANT_MS_MAX)?;
        in_range("timeout_ms", self.timeout_ms, DURATION_MS_MAX)?;
        in_range("backoff_initial_ms", self.backoff_initial_ms, DURATION_MS_MAX)?;
        in_range("backoff_max_ms", self.backoff_max_ms, DURATION_MS_MAX)?;
        in_range("max_tries", i64::from(self.max_tries), i64::from(TRIES_MAX))?;
        check_percent(self.backoff_percent)?;
        if self.idempotency_scope.is_some() && self.idempotency_key.is_none() {
            return Err(Error::invalid("an idempotency_scope needs an idempotency_key beside it"));
        }
        if let Some(budget) = &self.budget {
            super::budget::limits(budget)?;
        }
        self.metadata.as_deref().map_or(Ok(()), |metadata| check_object("metadata", metadata))
    }
}

fn check_percent(percent: u32) -> Result<()> {
    if percent == 0 || (100..=BACKOFF_PERCENT_MAX).contains(&percent) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "backoff_percent is {percent}, it must be 100 to {BACKOFF_PERCENT_MAX}, or 0 for the default"
    )))
}

/// Writes a run, or finds the one that its idempotency key made before (P8); a key that made a run of
/// another workflow is a conflict.
pub fn submit(
    port: &mut dyn Port,
    submit: &Submit,
    run_id: Id,
    local_owner: OwnerKey,
    now: Now,
) -> Result<Submitted> {
    let item = Item { submit, run_id, local_owner };
    let submitted = submit_all(port, &[item], None, |error, _| error, now)?.pop();
    submitted.ok_or_else(|| Error::internal("a submit was not answered"))
}

/// Submits runs in one commit, all or none; `named` tells in an error which item it is about.
pub fn submit_many(
    port: &mut dyn Port,
    items: &[(Submit, Id)],
    owner_key: OwnerKey,
    named: fn(Error, usize) -> Error,
    now: Now,
) -> Result<Vec<Submitted>> {
    let local = |submit: &Submit| if submit.is_local { owner_key } else { 0 };
    let items: Vec<_> = items
        .iter()
        .map(|(submit, run_id)| Item { submit, run_id: *run_id, local_owner: local(submit) })
        .collect();
    submit_all(port, &items, None, named, now)
}

/// A run to be submitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'run> {
    /// What to run.
    pub submit: &'run Submit,
    /// Id that it gets if it is new.
    pub run_id: Id,
    /// The only owner that may claim it, or 0.
    pub local_owner: OwnerKey,
}

/// Writes runs as [`submit`] does, below a parent or on their own.
pub(super) fn submit_all(
    port: &mut dyn Port,
    items: &[Item<'_>],
    parent: Option<&Parent>,
    named: fn(Error, usize) -> Error,
    now: Now,
) -> Result<Vec<Submitted>> {
    let runs: Vec<_> = items.iter().map(|item| new_run(item, parent, now)).collect();
    let inserted = port.runs_insert(&runs)?;
    let mut places = Vec::new();
    let mut submitted = Vec::with_capacity(items.len());
    for (at, (run, inserted)) in runs.into_iter().zip(inserted).enumerate() {
        submitted.push(match inserted {
            Inserted::Known(run_id, workflow) => {
                check_same(&workflow, run_id, &run.submit.workflow)
                    .map_err(|error| named(error, at))?;
                Submitted { run_id, existed: true }
            }
            Inserted::New(run_key, lane_key) => {
                if let Some(budget) = &run.submit.budget {
                    super::budget::open(port, run_key, budget).map_err(|error| named(error, at))?;
                }
                let task = Task { run_key, lane_key, ..run.task };
                queue::tell_of(port, &task, &run.lane.queue);
                let is_ready = task.state == TaskState::Ready;
                places.extend(queue::place_of(&task).filter(|_| is_ready));
                Submitted { run_id: run.run_id, existed: false }
            }
        });
    }
    let mut seen = HashSet::new();
    places.retain(|place| seen.insert(place.clone()));
    queue::enter(port, &places)?;
    Ok(submitted)
}

fn new_run<'run>(item: &Item<'run>, parent: Option<&'run Parent>, now: Now) -> NewRun<'run> {
    let Item { submit, run_id, local_owner } = *item;
    let lane = Lane {
        queue: submit.queue.clone().unwrap_or_else(|| {
            parent.map_or_else(|| QUEUE_DEFAULT.into(), |parent| parent.queue.clone())
        }),
        workflow: submit.workflow.clone(),
        code_version: submit.code_version.clone().unwrap_or_default(),
        owner_key: local_owner,
    };
    let task = Task { is_local: local_owner != 0, ..new_task(submit, now) };
    NewRun { run_id, lane, task, parent, created_at_ms: now.wall_ms, submit }
}

/// Refuses to take one workflow's run for what another was asked for.
fn check_same(found: &str, run_id: Id, asked: &str) -> Result<()> {
    if found == asked {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "the idempotency key of this {asked:?} has made {}, a run of {found:?}: give each workflow \
         keys or a scope of its own",
        id::write("run", run_id)
    )))
}

fn named(ms: i64) -> Option<i64> {
    (ms > 0).then_some(ms)
}

/// Returns the task of a run that is submitted now, but for its keys.
fn new_task(submit: &Submit, now: Now) -> Task {
    let due_at_ms = named(submit.run_at_ms).unwrap_or(now.wall_ms);
    let is_due = due_at_ms <= now.wall_ms;
    Task {
        state: if is_due { TaskState::Ready } else { TaskState::Delayed },
        priority: submit.priority,
        due_at_ms,
        wake_at_ms: (!is_due).then_some(due_at_ms),
        deadline_at_ms: named(submit.timeout_ms)
            .map(|ms| due_at_ms.max(now.wall_ms).saturating_add(ms).min(INSTANT_MS_MAX)),
        gate: submit.concurrency_key.clone(),
        ..Task::new(0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Now = Now { wall_ms: 1_000, lease_ms: 0 };

    #[test]
    fn a_run_without_a_date_is_ready_at_once() {
        let task = new_task(&Submit::default(), NOON);
        assert_eq!((task.state, task.due_at_ms, task.wake_at_ms), (TaskState::Ready, 1_000, None));
        assert_eq!(task.deadline_at_ms, None);
    }

    #[test]
    fn a_time_out_counts_from_the_later_of_submission_and_start_date() {
        let later = Submit { run_at_ms: 5_000, timeout_ms: 10, ..Submit::default() };
        let task = new_task(&later, NOON);
        assert_eq!((task.state, task.wake_at_ms), (TaskState::Delayed, Some(5_000)));
        assert_eq!(task.deadline_at_ms, Some(5_010));
        let past = Submit { run_at_ms: 500, timeout_ms: 10, ..Submit::default() };
        assert_eq!(new_task(&past, NOON).deadline_at_ms, Some(1_010));
    }

    #[test]
    fn numbers_outside_their_range_are_named_with_their_limit() {
        let check = |submit: Submit| submit.check().unwrap_err().to_string();
        assert!(check(Submit { run_at_ms: -1, ..Submit::default() }).contains("run_at_ms is -1"));
        assert!(check(Submit { backoff_percent: 99, ..Submit::default() }).contains("99"));
        let metadata = Some("[1]".into());
        assert!(check(Submit { metadata, ..Submit::default() }).contains("expected an object"));
    }

    #[test]
    fn a_scope_without_a_key_is_refused() {
        let scope = Some("s".into());
        let submit = Submit { idempotency_scope: scope, ..Submit::default() };
        assert_eq!(submit.check().unwrap_err().code(), -2);
    }
}
