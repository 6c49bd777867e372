//! Sweeping: moving what time has moved, and taking back what was lost.
//!
//! Which runs a sweep is about is one question; each is then looked at again before it is moved, as
//! what was moved before it may have moved it too. So every one of them can be a job of its own, where
//! locks are held row by row. Here they share the transaction of the claim or wait that looks: a commit
//! for each would cost a sync for each. What the policy of retention does not keep goes here, too, so that
//! nobody has to think of it.

use super::attempt::{End, finish, lose, time_out};
use super::news::{News, Swept};
use super::port::{Fence, OwnerKey, Port, RunKey, Standing, TaskState};
use super::{budget, control, queue, retention, schedule};
use crate::clock::Now;
use crate::error::Result;
use crate::id::Id;
use crate::limits::{SWEEP_BUDGETS_MAX, SWEEP_DUE_MAX, SWEEP_LOST_MAX};

/// Moves what time has moved: delays that are over, time-outs, lapsed leases, runs of the dead; brings
/// cancels down; and lets schedules make their runs, with ids that come from `seed`.
pub fn sweep(port: &mut dyn Port, dead: &[OwnerKey], seed: Id, now: Now) -> Result<Swept> {
    let standing = port.standing("")?;
    sweep_standing(port, &standing, dead, seed, now)
}

/// Does that where it is known what moves by itself, and when.
pub(super) fn sweep_standing(
    port: &mut dyn Port,
    standing: &Standing,
    dead: &[OwnerKey],
    seed: Id,
    now: Now,
) -> Result<Swept> {
    let is_due = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now.wall_ms);
    let mut swept = Swept::default();
    if is_due(standing.next_wake_at_ms) {
        swept = swept.and(wake_due(port, now)?);
    }
    let is_overdue = is_due(standing.next_deadline_at_ms);
    if is_overdue {
        swept = swept.and(sweep_overdue(port, now)?);
    }
    // With a run that timed out its children end.
    if standing.has_cascades || is_overdue {
        swept = swept.and(control::sweep_cascades(port, now)?);
    }
    if is_due(standing.next_schedule_at_ms) {
        swept = swept.and(schedule::sweep(port, seed, now)?);
    }
    if is_due(standing.next_room_at_ms) {
        swept = swept.and(Swept::of(budget::sweep(port, now)?, SWEEP_BUDGETS_MAX));
    }
    let has_lapsed = standing.next_lapse_ms.is_some_and(|at_ms| at_ms <= now.lease_ms);
    let is_in_the_file = |key: &&OwnerKey| standing.owners.iter().any(|row| row.owner_key == **key);
    let dead: Vec<OwnerKey> = dead.iter().filter(is_in_the_file).copied().collect();
    if has_lapsed || !dead.is_empty() {
        swept = swept.and(sweep_lost(port, &dead, now)?);
    }
    // It makes nothing claimable, and has a pace of its own.
    if retention::is_due(standing.next_retention_at_ms, now) {
        retention::look(port, now)?;
    }
    Ok(swept)
}

fn wake_due(port: &mut dyn Port, now: Now) -> Result<Swept> {
    let woken = port.wake_due(now.wall_ms, SWEEP_DUE_MAX)?;
    if woken.count > 0 {
        queue::enter_woken(port, &woken)?;
    }
    Ok(Swept::of(woken.count, SWEEP_DUE_MAX))
}

fn sweep_overdue(port: &mut dyn Port, now: Now) -> Result<Swept> {
    let overdue = port.overdue(now.wall_ms, SWEEP_LOST_MAX)?;
    for run_key in &overdue {
        time_out_overdue(port, *run_key, now)?;
    }
    Ok(Swept::of(overdue.len(), SWEEP_LOST_MAX))
}

/// Ends a run whose time-out has passed, or tells its attempt to end, if that is still so.
pub fn time_out_overdue(port: &mut dyn Port, run_key: RunKey, now: Now) -> Result<()> {
    let task = port.task(run_key)?;
    let is_overdue = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now.wall_ms);
    let Some(task) = task.filter(|task| is_overdue(task.deadline_at_ms)) else { return Ok(()) };
    if task.state != TaskState::Running {
        return time_out(port, &task, now);
    }
    port.tell(News::RECALLED);
    port.task_set_timed_out(run_key)?;
    port.cascades_insert(&[run_key])
}

/// Takes runs back whose lease has lapsed, and those of the dead; forgets the dead who hold none.
fn sweep_lost(port: &mut dyn Port, dead: &[OwnerKey], now: Now) -> Result<Swept> {
    let lost = port.lost(now.lease_ms, dead, SWEEP_LOST_MAX)?;
    for one in &lost {
        take_back(port, one.run_key, dead, now)?;
    }
    let mut swept = Swept::of(lost.len(), SWEEP_LOST_MAX);
    if !swept.has_more {
        for owner_key in dead {
            swept = swept.and(forget_owner(port, *owner_key)?);
        }
    }
    // With a lost attempt a run may have ended as it was told to, and its children go with it.
    swept.has_more = swept.has_more || (swept.has_moved && !port.cascades(1)?.is_empty());
    Ok(swept)
}

/// Takes a run back whose attempt is gone, if that is still so.
pub fn take_back(port: &mut dyn Port, run_key: RunKey, dead: &[OwnerKey], now: Now) -> Result<()> {
    let Some(task) = port.task(run_key)? else { return Ok(()) };
    let Some(owner_key) = task.owner_key else { return Ok(()) };
    if dead.contains(&owner_key) {
        return lose(port, &task, "the process that ran it is gone", now);
    }
    if task.lease_until_ms <= now.lease_ms {
        return lose(port, &task, "its lease lapsed", now);
    }
    Ok(())
}

/// Gives back the runs of a handle that closes in order: no try is charged (P13). Returns whether
/// more may be left.
pub fn give_back(port: &mut dyn Port, owner: OwnerKey, now: Now) -> Result<bool> {
    let held = port.lost(i64::MIN, &[owner], SWEEP_LOST_MAX)?;
    let run_keys: Vec<RunKey> = held.iter().map(|one| one.run_key).collect();
    for task in port.tasks(&run_keys)? {
        let fence = Fence { run_key: task.run_key, number: task.fence, token: task.token };
        finish(port, fence, &End::Release(0), now)?;
    }
    Ok(held.len() == SWEEP_LOST_MAX as usize || forget_owner(port, owner)?.has_more)
}

/// Gives back the runs that claims of these tokens took: no try is charged.
pub(super) fn give_back_of(
    port: &mut dyn Port,
    owner: OwnerKey,
    tokens: &[i64],
    now: Now,
) -> Result<()> {
    // As many as the process works on, whatever of them is sought.
    let held = port.lost(i64::MIN, &[owner], u32::MAX)?;
    let run_keys: Vec<RunKey> = held.iter().map(|one| one.run_key).collect();
    for task in port.tasks(&run_keys)? {
        if tokens.contains(&task.token) {
            let fence = Fence { run_key: task.run_key, number: task.fence, token: task.token };
            finish(port, fence, &End::Release(0), now)?;
        }
    }
    Ok(())
}

/// Forgets an owner that holds no run any more, once what waits in lanes of its own, a bounded part
/// at a time, stands in lanes that are open to all; its own go with it.
fn forget_owner(port: &mut dyn Port, owner: OwnerKey) -> Result<Swept> {
    let mut left = SWEEP_DUE_MAX;
    let mut swept = Swept::default();
    for lane_key in port.lanes_of(owner, SWEEP_LOST_MAX)? {
        if let Some(open_key) = port.lane_open_to_all(lane_key)? {
            let moved = port.tasks_move(lane_key, open_key, left)?;
            if moved.count > 0 {
                queue::enter_woken(port, &moved)?;
                swept.has_moved = true;
            }
            left = left.saturating_sub(u32::try_from(moved.count).unwrap_or(u32::MAX));
        }
        if left == 0 {
            break;
        }
        port.lane_delete(lane_key)?;
    }
    if port.lanes_of(owner, 1)?.is_empty() {
        port.owner_delete(owner)?;
        return Ok(swept);
    }
    Ok(Swept { has_more: true, ..swept })
}
