//! Limits of queues: how many runs may hold the fence at once, in all and behind each key.
//!
//! Of the runs of one lane with one concurrency key, the first in the order of claims is ready, and
//! only while the gate of that key has room; all others are held back. So a claim never looks at a
//! run that a limit holds back, however many there are. Whatever makes a run ready ([`enter`]), takes
//! one away ([`left`], [`took`]) or makes room ([`give_room`]) keeps it so, in the same transaction.

use super::input::{boolean, integer, object};
use super::news::{News, Queues};
use super::port::{GatePlace, Port, QueueLimits, RunKey, Task, TaskState, Woken, WokenFor};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::SWEEP_GATES_MAX;

impl QueueLimits {
    /// Reads the settings document `{"concurrency", "concurrency_per_key", "paused"}`. What it does
    /// not name is lifted.
    pub fn read(settings: &str) -> Result<QueueLimits> {
        let mut limits = QueueLimits::default();
        object(settings, |key, value| {
            match key {
                "concurrency" => limits.concurrency = limit(key, value)?,
                "concurrency_per_key" => limits.concurrency_per_key = limit(key, value)?,
                "paused" => limits.is_paused = boolean(key, value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })
        .map_err(|error| error.within("settings"))?;
        Ok(limits)
    }

    /// Returns whether nothing may be claimed while `running` of its runs hold the fence.
    pub fn is_full(&self, running: u32) -> bool {
        self.room(running) == 0
    }

    /// Returns how many more may be claimed while `running` of its runs hold the fence.
    pub fn room(&self, running: u32) -> u32 {
        if self.is_paused {
            return 0;
        }
        self.concurrency.map_or(u32::MAX, |most| most.saturating_sub(running))
    }
}

fn limit(what: &str, value: &str) -> Result<Option<u32>> {
    match value {
        "null" => Ok(None),
        value => match integer(what, value)? {
            0 => Err(Error::invalid(format!(
                "{what} is 0, it must be at least 1: to stop a queue, set \"paused\""
            ))),
            most => Ok(Some(most)),
        },
    }
}

/// Sets a queue's limits.
pub fn set(port: &mut dyn Port, queue: &str, limits: &QueueLimits) -> Result<()> {
    port.tell(News::claimable(Queues::named(queue)));
    port.queue_set(queue, limits)
}

/// Opens and closes, bounded, the gates behind which runs hold the fence as the limit of their queue
/// now says, those after `after`. Returns where to go on; `None` when done. All others stand open.
pub fn let_in(port: &mut dyn Port, queue: &str, after: &str) -> Result<Option<String>> {
    let most = port.queue(queue)?.and_then(|(limits, _)| limits.concurrency_per_key);
    let gates = port.gates_after(queue, after, SWEEP_GATES_MAX)?;
    let is_open = |running: u32| most.is_none_or(|most| running < most);
    let turned: Vec<_> =
        gates.iter().map(|(gate, running)| (gate.as_str(), is_open(*running))).collect();
    port.gates_turn(queue, &turned)?;
    port.tell(News::claimable(Queues::named(queue)));
    let is_done = gates.len() < SWEEP_GATES_MAX as usize;
    Ok(gates.into_iter().next_back().filter(|_| !is_done).map(|(gate, _)| gate))
}

/// Holds runs that became ready back, or those that they stand before, where another with their key is
/// ready or the gate is closed.
pub(super) fn enter(port: &mut dyn Port, places: &[GatePlace]) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    port.gates_keep(places)
}

/// Lets a task that was written in where it is ready, and tells its queue of that or of when it is due.
pub(super) fn enter_task(port: &mut dyn Port, task: &Task) -> Result<()> {
    let queue = port.queue_of(task.lane_key)?;
    tell_of(port, task, &queue);
    if task.state != TaskState::Ready {
        return Ok(());
    }
    enter(port, place_of(task).as_slice())
}

/// Tells a queue of a task that was written.
pub(super) fn tell_of(port: &mut dyn Port, task: &Task, queue: &str) {
    let queues = Queues::named(queue);
    port.tell(match task.state {
        TaskState::Ready => News::claimable(queues),
        TaskState::Delayed => News::CHANGED.and(News::due_earlier(queues)),
        TaskState::Running | TaskState::Waiting | TaskState::Paused | TaskState::Blocked => {
            News::CHANGED
        }
    });
}

/// Makes delayed or waiting tasks ready, due now or when they were parked, if that is later.
pub(super) fn wake_tasks(
    port: &mut dyn Port,
    run_keys: &[RunKey],
    why: WokenFor,
    now: Now,
) -> Result<()> {
    if run_keys.is_empty() {
        return Ok(());
    }
    let woken = port.tasks_wake(run_keys, now.wall_ms, why)?;
    enter_woken(port, &woken)
}

/// Lets tasks in that were woken or moved. Of which queues they are is not looked up.
pub(super) fn enter_woken(port: &mut dyn Port, woken: &Woken) -> Result<()> {
    port.tell(News::claimable(Queues::ALL));
    enter(port, &woken.places)
}

pub(super) fn place_of(task: &Task) -> Option<GatePlace> {
    task.gate.clone().map(|gate| GatePlace { lane_key: task.lane_key, gate })
}

/// Lets in the next one behind a ready run that was taken out of its lane unclaimed.
pub(super) fn left(port: &mut dyn Port, task: &Task) -> Result<()> {
    if task.state != TaskState::Ready {
        return Ok(());
    }
    port.lane_left(task.lane_key)?;
    match place_of(task) {
        Some(place) if port.gate_room(&place)? > 0 => {
            let queue = port.queue_of(task.lane_key)?;
            port.tell(News::claimable(Queues::named(&queue)));
            port.gate_let_in(&place)
        }
        Some(_) | None => Ok(()),
    }
}

/// Lets in the next one behind a run that was claimed, or closes the gate that it has filled.
pub(super) fn took(port: &mut dyn Port, queue: &str, place: &GatePlace) -> Result<()> {
    match port.gate_room(place)? {
        0 => port.gates_turn(queue, &[(&place.gate, false)]),
        _ => {
            port.tell(News::claimable(Queues::named(queue)));
            port.gate_let_in(place)
        }
    }
}

/// Opens the gate of a run that gave up its place behind it: in each lane, as which run is claimed
/// depends on what its claimers look for. Whatever room there is: a limit that was raised may have
/// left the gate closed, until [`let_in`] comes to it, or for good where nobody is left to do that.
pub(super) fn give_room(port: &mut dyn Port, queue: &str, task: &Task) -> Result<()> {
    match place_of(task) {
        Some(place) if port.gate_room(&place)? > 0 => {
            port.gates_turn(queue, &[(&place.gate, true)])
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_limits_and_what_they_leave_out_is_lifted() {
        let limits = QueueLimits::read(r#"{"concurrency":8}"#).unwrap();
        assert_eq!((limits.concurrency, limits.concurrency_per_key), (Some(8), None));
        assert!(limits.is_full(8) && !limits.is_full(7));
        let lifted = QueueLimits::read(r#"{"concurrency":null,"paused":null}"#).unwrap();
        assert_eq!(lifted, QueueLimits::default());
        assert!(QueueLimits::read(r#"{"paused":true}"#).unwrap().is_full(0));
        for bad in [
            "[]",
            r#"{"x":1}"#,
            r#"{"concurrency":0}"#,
            r#"{"concurrency":-1}"#,
            r#"{"concurrency":1.5}"#,
            r#"{"paused":1}"#,
            "null",
            r#"{"paused":true,"paused":true}"#,
        ] {
            assert_eq!(QueueLimits::read(bad).unwrap_err().code(), -2, "{bad}");
        }
    }
}
