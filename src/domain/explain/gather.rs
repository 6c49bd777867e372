//! Looking up what is known of a run.

use super::facts::{Ahead, Gate, Held, Owner, Parked, Queued, Record, Standing};
use crate::clock::Now;
use crate::domain::port::{
    Ended, LaneHead, OwnerKey, Port, QueueLimits, RunRow, Task, TaskState, Waiting,
};
use crate::domain::stats::{Life, holders, owner_id};
use crate::error::Result;
use crate::id;
use crate::limits::{
    AHEAD_COUNTED_MAX, HOLDERS_SHOWN_MAX, LANES_EXPLAINED_MAX, RUN_TRIES_DEFAULT, WAITING_SHOWN_MAX,
};

pub(super) fn facts(
    port: &mut dyn Port,
    row: &RunRow,
    task: Option<Task>,
    life: Life<'_>,
    now: Now,
) -> Result<Standing> {
    let Some(task) = task else {
        let state = crate::domain::query::run_state(row, None);
        return Ok(Standing::Ended { state, at_ms: row.finished_at_ms });
    };
    Ok(match task.state {
        TaskState::Running => Standing::Held(held(port, &task, life, now)?),
        TaskState::Paused => Standing::Paused,
        TaskState::Waiting => Standing::Parked(parked(port, &task)?),
        TaskState::Delayed | TaskState::Ready | TaskState::Blocked => {
            Standing::Queued(Box::new(queued(port, row, &task, life)?))
        }
    })
}

fn held(port: &mut dyn Port, task: &Task, life: Life<'_>, now: Now) -> Result<Held> {
    let lapsed_for_ms = now.lease_ms.saturating_sub(task.lease_until_ms);
    Ok(Held {
        attempt: task.fence,
        worker: task.worker.clone(),
        owner: owner(port, task.owner_key.unwrap_or(0), life)?,
        claimed_at_ms: task.claimed_at_ms,
        lapsed_for_ms: (lapsed_for_ms >= 0).then_some(lapsed_for_ms),
        told: task.must_end(now.wall_ms),
        pause_asked: task.is_pause_asked,
    })
}

fn owner(port: &mut dyn Port, owner_key: OwnerKey, life: Life<'_>) -> Result<Owner> {
    let found = port.owner(owner_key)?;
    // One that was forgotten has died.
    let is_alive = found.as_ref().map_or(Ok(Some(false)), |row| life(&row.owner))?;
    Ok(Owner { owner_id: owner_id(owner_key), pid: found.map(|row| row.pid), is_alive })
}

fn parked(port: &mut dyn Port, task: &Task) -> Result<Vec<Parked>> {
    let mut list = Vec::new();
    for waiting in port.waits(task.run_key, WAITING_SHOWN_MAX)? {
        list.push(match waiting {
            Waiting::Signal(name) => {
                let last = port.attempt_ended(task.run_key, task.fence)?;
                Parked::Signal { name, since_ms: last.map(|attempt| attempt.ended_at_ms) }
            }
            Waiting::Child(run_id) => {
                let row = port.run_row(run_id)?;
                let child = match &row {
                    Some(row) => port.task(row.run_key)?,
                    None => None,
                };
                let state =
                    row.map_or("gone", |row| crate::domain::query::run_state(&row, child.as_ref()));
                Parked::Child { run_id: id::write("run", run_id), state }
            }
            Waiting::Room(unit, amount) => {
                let (root_key, _) = port.root_and_lane(task.run_key)?;
                let balance = port.balance(root_key, &unit)?.unwrap_or_default();
                let room = balance.limit.map(|limit| {
                    limit.saturating_sub(balance.reserved).saturating_sub(balance.spent)
                });
                Parked::Room { unit, amount, room }
            }
        });
    }
    if let Some(at_ms) = task.wake_at_ms {
        let record = port.record_due(task.run_key, at_ms)?.map(|found| Record {
            kind: found.kind,
            name: found.name,
            backs_off: found.backs_off,
            error: found.error,
        });
        list.push(Parked::Until { at_ms, record });
    }
    Ok(list)
}

fn queued(port: &mut dyn Port, row: &RunRow, task: &Task, life: Life<'_>) -> Result<Queued> {
    let last = port.attempt_ended(row.run_key, task.fence)?.map(|attempt| attempt.ended);
    let limits = port.queue(&row.queue)?.map(|(limits, _)| limits).unwrap_or_default();
    let lanes = port.lane_heads(&row.queue, task.lane_key, LANES_EXPLAINED_MAX)?;
    let lane = lanes.iter().find(|lane| lane.lane_key == task.lane_key);
    let of_version = lanes.iter().filter(|lane| lane.code_version == row.code_version);
    let queue = full_queue(port, row, limits)?;
    Ok(Queued {
        workflow: row.workflow.clone(),
        code_version: Some(row.code_version.clone()).filter(|version| !version.is_empty()),
        due_at_ms: task.wake_at_ms.unwrap_or(task.due_at_ms),
        backs_off: matches!(last, Some(Ended::Retried | Ended::Lost)),
        tries: task.tries(),
        max_tries: row.max_tries.unwrap_or(RUN_TRIES_DEFAULT),
        last_error: port.last_error(row.run_key)?,
        gate: gate(port, row, task)?,
        local: match lane_owner(lane).filter(|_| task.is_local) {
            Some(owner_key) => Some(owner(port, owner_key, life)?),
            None => None,
        },
        queue_claimed_at_ms: lanes.iter().filter_map(|lane| lane.claimed_at_ms).max(),
        version_claimed_at_ms: of_version.filter_map(|lane| lane.claimed_at_ms).max(),
        lane_claimed_at_ms: lane.and_then(|lane| lane.claimed_at_ms),
        is_busy: !port.held_in(&row.queue, None, 1)?.is_empty(),
        ahead: ahead(port, &lanes, lane_owner(lane), task)?,
        ..queue
    })
}

fn lane_owner(lane: Option<&LaneHead>) -> Option<OwnerKey> {
    lane.map(|lane| lane.owner_key).filter(|owner_key| *owner_key > 0)
}

/// Looks up who fills the queue, if it is full.
fn full_queue(port: &mut dyn Port, row: &RunRow, limits: QueueLimits) -> Result<Queued> {
    let running = port.queue(&row.queue)?.map_or(0, |(_, running)| running);
    let is_full = limits.concurrency.is_some_and(|most| running >= most);
    let held = match is_full {
        true => port.held_in(&row.queue, None, HOLDERS_SHOWN_MAX)?,
        false => Vec::new(),
    };
    let holders = holders(port, held.iter())?;
    Ok(Queued { queue: row.queue.clone(), limits, running, holders, ..Queued::default() })
}

fn gate(port: &mut dyn Port, row: &RunRow, task: &Task) -> Result<Option<Gate>> {
    let Some(key) = task.gate.clone() else { return Ok(None) };
    let running = port.gate_running(&row.queue, &key)?;
    let held = match running {
        0 => Vec::new(),
        _ => port.held_in(&row.queue, Some(&key), HOLDERS_SHOWN_MAX)?,
    };
    Ok(Some(Gate { key, running, holders: holders(port, held.iter())? }))
}

/// Counts what stands before a task, in the lanes that its claimers look into.
fn ahead(
    port: &mut dyn Port,
    lanes: &[LaneHead],
    own: Option<OwnerKey>,
    task: &Task,
) -> Result<Ahead> {
    let place = (i64::from(task.priority), task.due_at_ms, task.run_key);
    let before = |lane: &&LaneHead| {
        let is_open = lane.owner_key == 0 || Some(lane.owner_key) == own;
        is_open && lane.head.is_some_and(|head| head < place)
    };
    let mut ahead = Ahead::default();
    let mut first = None;
    for lane in lanes.iter().filter(before) {
        let left = AHEAD_COUNTED_MAX - ahead.count;
        ahead.count += port.ready_before(lane.lane_key, task, left)?;
        ahead.claimed_at_ms = ahead.claimed_at_ms.max(lane.claimed_at_ms);
        first = first.into_iter().chain(lane.head).min();
    }
    if task.state == TaskState::Blocked {
        ahead.count += port.blocked_before(task, AHEAD_COUNTED_MAX - ahead.count)?;
    }
    ahead.is_cut = ahead.count >= AHEAD_COUNTED_MAX;
    if let Some((_, _, run_key)) = first {
        ahead.run_id = port.run_id(run_key)?.map(|run_id| id::write("run", run_id));
    }
    Ok(ahead)
}
