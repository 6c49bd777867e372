//! Whether an attempt still holds its run, and how it keeps it: fence, orders to stop, lease.
//!
//! Each script of an attempt asks here first, in the transaction it writes in (P10).

use super::port::{Ended, Fence, Hold, LEASE_WHILE_ALIVE, Port, Task, TaskState};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::{LEASE_MS_MAX, LEASE_MS_MIN};
use crate::plant::{Plant, stands};

/// Where a lease stands after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// End, on the lease clock; `i64::MAX` while the owner lives.
    pub until_ms: i64,
}

/// Refuses a lease length outside its range; 0 is `default_ms`.
pub fn lease_length(lease_ms: u32, default_ms: u32) -> Result<u32> {
    match lease_ms {
        0 => Ok(default_ms),
        LEASE_WHILE_ALIVE | LEASE_MS_MIN..=LEASE_MS_MAX => Ok(lease_ms),
        _ => Err(Error::invalid(format!(
            "lease_ms is {lease_ms}, it must be {LEASE_MS_MIN} to {LEASE_MS_MAX}, or SW_LEASE_WHILE_ALIVE"
        ))),
    }
}

/// Returns the end of a lease that begins now.
pub fn lease_end(lease_ms: u32, now: Now) -> i64 {
    if lease_ms == LEASE_WHILE_ALIVE {
        i64::MAX
    } else {
        now.lease_ms.saturating_add(i64::from(lease_ms))
    }
}

/// Returns what an attempt holds, or says that it holds it no more.
pub fn fenced(port: &mut dyn Port, fence: Fence) -> Result<Hold> {
    if stands(Plant::ForgetFence)
        && let Some(task) = port.task(fence.run_key)?
        && task.state == TaskState::Running
    {
        return Ok(task.hold());
    }
    match port.hold(fence)? {
        Some(hold) => Ok(hold),
        None => held_task(port, fence).map(|task| task.hold()),
    }
}

/// Returns the task that an attempt holds, or says that it holds it no more.
pub(super) fn held_task(port: &mut dyn Port, fence: Fence) -> Result<Task> {
    match port.task(fence.run_key)? {
        Some(task) if is_held(&task, fence) => Ok(task),
        Some(task) if task.fence == fence.number && task.token != fence.token => {
            Err(Error::LeaseLost(
                format!(
                    "attempt {} is not the one that this store knows by its number: the store is a copy, or has lost its last commits",
                    fence.number
                )
                .into(),
            ))
        }
        Some(task) => Err(Error::LeaseLost(
            format!("attempt {} lost the run, its newest is {}", fence.number, task.fence).into(),
        )),
        None => Err(Error::LeaseLost(
            format!("attempt {} has ended, and so has its run", fence.number).into(),
        )),
    }
}

fn is_held(task: &Task, fence: Fence) -> bool {
    let newest = (task.state, task.fence, task.token);
    newest == (TaskState::Running, fence.number, fence.token)
}

/// Returns what an attempt must hear before it begins something new.
pub fn must_stop(ended: Ended) -> Error {
    Error::Cancelled(
        if ended == Ended::TimedOut { "the run timed out" } else { "the run was cancelled" }.into(),
    )
}

/// Returns what an attempt holds that may go on and begin something new: its run was not told to end.
pub fn living(port: &mut dyn Port, fence: Fence, now: Now) -> Result<Hold> {
    let hold = fenced(port, fence)?;
    match hold.must_end(now.wall_ms) {
        None => Ok(hold),
        Some(ended) => Err(must_stop(ended)),
    }
}

/// Extends a lease to `lease_ms` from now, its own length if 0; never shortens one (P11).
pub fn heartbeat(port: &mut dyn Port, fence: Fence, lease_ms: u32, now: Now) -> Result<Lease> {
    let hold = living(port, fence, now)?;
    let lease_ms = lease_length(lease_ms, hold.lease_ms)?;
    let until_ms = lease_end(lease_ms, now).max(hold.lease_until_ms);
    port.lease_set(fence.run_key, until_ms, lease_ms, hold.losses)?;
    Ok(Lease { until_ms })
}

/// Notes that an attempt has recorded something: the count of losses starts anew (P13), and at least
/// half the lease stays ahead (P11). Writes nothing while two thirds are left and nothing was lost.
pub fn progress(port: &mut dyn Port, fence: Fence, hold: &Hold, now: Now) -> Result<Lease> {
    keep_lease(port, fence, hold, 0, now)
}

/// Keeps at least half the lease ahead of a write (P11), with this count of losses.
pub fn keep_lease(
    port: &mut dyn Port,
    fence: Fence,
    hold: &Hold,
    losses: u32,
    now: Now,
) -> Result<Lease> {
    let left = hold.lease_until_ms.saturating_sub(now.lease_ms);
    let is_long = hold.lease_until_ms == i64::MAX || left >= i64::from(hold.lease_ms) * 2 / 3;
    if (is_long && hold.losses == losses) || stands(Plant::ForgetLease) {
        return Ok(Lease { until_ms: hold.lease_until_ms });
    }
    let until_ms = lease_end(hold.lease_ms, now).max(hold.lease_until_ms);
    port.lease_set(fence.run_key, until_ms, hold.lease_ms, losses)?;
    Ok(Lease { until_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_length_is_0_for_the_default_or_in_its_range() {
        assert_eq!(lease_length(0, 30_000).unwrap(), 30_000);
        assert_eq!(lease_length(1_000, 0).unwrap(), 1_000);
        assert_eq!(lease_length(LEASE_WHILE_ALIVE, 0).unwrap(), LEASE_WHILE_ALIVE);
        assert!(lease_length(999, 0).unwrap_err().to_string().contains("999"));
        assert!(lease_length(3_600_001, 0).is_err());
    }

    #[test]
    fn a_lease_while_alive_has_no_end() {
        let now = Now { wall_ms: 0, lease_ms: 7 };
        assert_eq!(lease_end(LEASE_WHILE_ALIVE, now), i64::MAX);
        assert_eq!(lease_end(1_000, now), 1_007);
    }

    #[test]
    fn a_cancel_outranks_a_time_out_and_a_time_out_passes_by_itself() {
        let task = Task { deadline_at_ms: Some(10), ..Task::new(1, 1) };
        assert_eq!(task.must_end(9), None);
        assert_eq!(task.must_end(10), Some(Ended::TimedOut));
        let task = Task { is_cancel_asked: true, ..task };
        assert_eq!(task.must_end(10), Some(Ended::Cancelled));
    }
}
