//! Claiming: sweeping what has come due, taking back what was lost, picking the next run.

use std::sync::Arc;

use super::attempt::{lose, time_out};
use super::control::{Shadow, end_shadowed, shadow};
use super::hold::{lease_end, lease_length};
use super::input::in_range;
use super::news::{News, Queues, Swept};
use super::port::{
    ClaimedRun, Fence, GatePlace, LaneFilter, NewLease, Owner, OwnerKey, Port, QueueLimits, RunKey,
    Taken, TaskState,
};
use super::queue;
use super::submit::QUEUE_DEFAULT;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::{
    DURATION_MS_MAX, SWEEP_BUDGETS_MAX, SWEEP_DUE_MAX, SWEEP_LOST_MAX, WRITE_BATCH_BYTES_MAX,
};
use crate::stop::Stop;

/// What a worker asks for; 0 and `None` are the defaults.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// Queue; "default" if `None`.
    pub queue: Option<String>,
    /// Milliseconds to wait for a run; -1 without end.
    pub wait_ms: i64,
    /// Milliseconds of the lease.
    pub lease_ms: u32,
    /// How the worker names itself in histories.
    pub worker: Option<String>,
    /// Only these workflows.
    pub workflows: Option<Vec<String>>,
    /// Only these code versions, and runs without one.
    pub code_versions: Option<Vec<String>>,
    /// Ends the wait.
    pub stop: Option<Arc<Stop>>,
}

impl Claim {
    /// Refuses numbers outside their range.
    pub fn check(&self) -> Result<()> {
        if self.wait_ms != -1 {
            in_range("wait_ms", self.wait_ms, DURATION_MS_MAX).map_err(|_| {
                Error::invalid(format!(
                    "wait_ms is {}, it must be 0 to {DURATION_MS_MAX}, or -1 to wait without limit",
                    self.wait_ms
                ))
            })?;
        }
        lease_length(self.lease_ms, 0).map(|_| ())
    }

    /// Returns the lanes that match.
    pub fn filter(&self) -> LaneFilter {
        LaneFilter {
            queue: self.queue.clone().unwrap_or_else(|| QUEUE_DEFAULT.into()),
            owner_key: 0,
            workflows: self.workflows.clone(),
            code_versions: self.code_versions.clone(),
        }
    }
}

/// A look at the file from outside a transaction of the writer's, to tell whether a claim is worth
/// its lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Something is ready, due or lapsed now.
    pub is_promising: bool,
    /// When the next task or schedule comes due by itself, Unix milliseconds.
    pub next_due_at_ms: Option<i64>,
    /// When the next lease lapses, on the lease clock.
    pub next_lapse_ms: Option<i64>,
    /// Owners in the file, whose life only the system can tell.
    pub owners: Vec<Owner>,
}

impl Outlook {
    /// Returns whether time has moved something that a sweep would find.
    pub fn is_due(&self, now: Now) -> bool {
        self.next_due_at_ms.is_some_and(|at| at <= now.wall_ms)
            || self.next_lapse_ms.is_some_and(|at| at <= now.lease_ms)
    }
}

/// Looks what a claim would find.
pub fn outlook(port: &mut dyn Port, filter: &LaneFilter, now: Now) -> Result<Outlook> {
    let next = [
        port.next_wake_at_ms()?,
        port.next_deadline_at_ms()?,
        port.next_schedule_at_ms()?,
        port.next_room_at_ms()?,
    ];
    let next_due_at_ms = next.into_iter().flatten().min();
    let owners = port.owners()?;
    let mut next_lapse_ms = None;
    for owner in &owners {
        let end = port.first_lease_end(owner.owner_key)?;
        next_lapse_ms = [next_lapse_ms, end].into_iter().flatten().min();
    }
    let seen = Outlook { is_promising: false, next_due_at_ms, next_lapse_ms, owners };
    let is_promising = seen.is_due(now)
        || !port.cascades(1)?.is_empty()
        || (!is_full(port, &filter.queue)? && port.ready_head(filter)?.is_some());
    Ok(Outlook { is_promising, ..seen })
}

fn is_full(port: &mut dyn Port, queue: &str) -> Result<bool> {
    Ok(port.queue(queue)?.is_some_and(|(limits, running)| limits.is_full(running)))
}

/// Who claims and for how long.
#[derive(Debug, Clone)]
pub struct Claimer {
    /// The handle as the file knows it, or is to know it: its key is 0 before its first claim.
    pub owner: Owner,
    /// Length of the lease.
    pub lease_ms: u32,
    /// How the worker names itself.
    pub worker: Option<String>,
    /// Lanes it looks at.
    pub filter: LaneFilter,
    /// Owners that were found dead.
    pub dead: Vec<OwnerKey>,
    /// An id that was never used; those of runs that schedules make come from it.
    pub seed: Id,
}

/// A run as its claimer gets it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Key of the claimer, given with its first claim.
    pub owner_key: OwnerKey,
    /// What every write of the attempt must show.
    pub fence: Fence,
    /// End of the lease, on the lease clock.
    pub lease_until_ms: i64,
    /// When, Unix milliseconds.
    pub claimed_at_ms: i64,
    /// When the run became due: some clock has seen that moment, so its attempt's stands no earlier.
    pub due_at_ms: i64,
    /// The run.
    pub run: ClaimedRun,
}

/// What one transaction of a claim came to.
#[derive(Debug, Clone, Default)]
pub struct Picked {
    /// Runs, in the order of the claim.
    pub runs: Vec<Claimed>,
    /// A sweep reached its bound: there may be more.
    pub has_more: bool,
}

/// Sweeps what has come due, bounded, and gives up to `max` ready runs of the claimer's lanes to it.
pub fn claim(port: &mut dyn Port, claimer: &Claimer, max: u32, now: Now) -> Result<Picked> {
    let has_more = sweep(port, &claimer.dead, claimer.seed, now)?.has_more;
    let mut picked = Picked { runs: Vec::new(), has_more };
    let mut owner = claimer.owner.clone();
    let mut bytes = 0;
    while picked.runs.len() < max as usize && bytes < WRITE_BATCH_BYTES_MAX {
        let (run_key, limits_apply) = match pick(port, &claimer.filter, now)? {
            Pick::Nothing => break,
            Pick::Run { run_key, limits_apply } => (run_key, limits_apply),
            Pick::AskAgain => {
                picked.has_more = true;
                break;
            }
        };
        if picked.runs.is_empty() {
            owner.owner_key = owner_key(port, &owner, now)?;
        }
        let claimed = take(port, claimer, owner.owner_key, (run_key, limits_apply), now)?;
        bytes += claimed.run.args.len();
        picked.runs.push(claimed);
    }
    Ok(picked)
}

/// Gives one ready run to the claimer.
fn take(
    port: &mut dyn Port,
    claimer: &Claimer,
    owner_key: OwnerKey,
    (run_key, limits_apply): (RunKey, bool),
    now: Now,
) -> Result<Claimed> {
    let lease_until_ms = lease_end(claimer.lease_ms, now);
    let lease = NewLease {
        owner_key,
        lease_until_ms,
        lease_ms: claimer.lease_ms,
        claimed_at_ms: now.wall_ms,
        worker: claimer.worker.clone(),
    };
    let Taken { number, due_at_ms, lane_key, gate } = port.task_claim(run_key, &lease)?;
    if limits_apply {
        port.running_add(&claimer.filter.queue, gate.as_deref())?;
    }
    if let Some(gate) = gate {
        queue::took(port, &claimer.filter.queue, &GatePlace { lane_key, gate })?;
    }
    let run = port.claimed_run(run_key)?;
    let fence = Fence { run_key, number };
    let claimed_at_ms = now.wall_ms;
    Ok(Claimed { owner_key, fence, lease_until_ms, claimed_at_ms, due_at_ms, run })
}

/// What a look for the next run came to.
enum Pick {
    /// There is none.
    Nothing,
    /// This one; whether its queue has limits to count it in.
    Run { run_key: RunKey, limits_apply: bool },
    /// The bound on setting runs aside was reached, or a cancel must come down first.
    AskAgain,
}

/// Returns the next run that may be claimed.
fn pick(port: &mut dyn Port, filter: &LaneFilter, now: Now) -> Result<Pick> {
    let limits = match port.queue(&filter.queue)? {
        Some((limits, running)) if limits.is_full(running) => return Ok(Pick::Nothing),
        Some((limits, _)) => Some(limits),
        None => None,
    };
    for _ in 0..SWEEP_DUE_MAX {
        let Some(run_key) = port.ready_head(filter)? else { return Ok(Pick::Nothing) };
        match shadow(port, run_key)? {
            Shadow::Falls => end_shadowed(port, run_key, now)?,
            Shadow::Unknown => return Ok(Pick::AskAgain),
            Shadow::None if is_held_back(port, run_key, limits.as_ref())? => {}
            Shadow::None => return Ok(Pick::Run { run_key, limits_apply: limits.is_some() }),
        }
    }
    Ok(Pick::AskAgain)
}

/// Returns whether the gate of a ready run is closed after all, and closes it: its queue was given a
/// lower limit, which has not come to this gate yet.
fn is_held_back(
    port: &mut dyn Port,
    run_key: RunKey,
    limits: Option<&QueueLimits>,
) -> Result<bool> {
    if limits.is_none_or(|limits| limits.concurrency_per_key.is_none()) {
        return Ok(false);
    }
    let Some(place) = port.task(run_key)?.as_ref().and_then(queue::place_of) else {
        return Ok(false);
    };
    if port.gate_room(&place)? > 0 {
        return Ok(false);
    }
    port.gate_keep(&place, 0).map(|()| true)
}

/// Returns the key of the claimer's row, written now if it has none: a run must never be held by an
/// owner whom nobody can look up, or nobody could take it back.
pub fn owner_key(port: &mut dyn Port, owner: &Owner, now: Now) -> Result<OwnerKey> {
    // By its mark, not its key: the first claims of two threads are both without a key.
    let is_it = |row: &&Owner| row.mark == owner.mark && row.boot == owner.boot;
    match port.owners()?.iter().find(is_it) {
        Some(row) => Ok(row.owner_key),
        None => port.owner_insert(owner, now.wall_ms),
    }
}

/// Moves what time has moved: delays that are over, time-outs, lapsed leases, runs of the dead; brings
/// cancels down; and lets schedules make their runs, with ids that come from `seed`.
pub fn sweep(port: &mut dyn Port, dead: &[OwnerKey], seed: Id, now: Now) -> Result<Swept> {
    let woken = port.woken(now.wall_ms, SWEEP_DUE_MAX)?;
    for (run_key, due_at_ms) in &woken {
        queue::wake_task(port, *run_key, *due_at_ms)?;
    }
    let swept = Swept::of(woken.len(), SWEEP_DUE_MAX)
        .and(sweep_overdue(port, now)?)
        .and(super::control::sweep_cascades(port, now)?)
        .and(super::schedule::sweep(port, seed, now)?)
        .and(Swept::of(super::budget::sweep(port, now)?, SWEEP_BUDGETS_MAX));
    let mut lost = Swept::default();
    for owner in port.owners()? {
        let is_dead = dead.contains(&owner.owner_key);
        lost = lost.and(sweep_owner(port, owner.owner_key, is_dead, now)?);
    }
    // With a lost attempt a run may have ended as it was told to, and its children go with it.
    lost.has_more = lost.has_more || (lost.has_moved && !port.cascades(1)?.is_empty());
    Ok(swept.and(lost))
}

fn sweep_overdue(port: &mut dyn Port, now: Now) -> Result<Swept> {
    let overdue = port.overdue(now.wall_ms, SWEEP_LOST_MAX)?;
    for run_key in &overdue {
        match port.task(*run_key)? {
            Some(task) if task.state == TaskState::Running => {
                port.tell(News::RECALLED);
                port.task_set_timed_out(*run_key)?;
                port.cascade_insert(*run_key)?;
            }
            Some(task) => time_out(port, &task, now)?,
            None => {
                return Err(Error::Corrupt(
                    format!("task {run_key} is indexed, not stored").into(),
                ));
            }
        }
    }
    Ok(Swept::of(overdue.len(), SWEEP_LOST_MAX))
}

fn sweep_owner(port: &mut dyn Port, owner: OwnerKey, is_dead: bool, now: Now) -> Result<Swept> {
    let until_ms = if is_dead { i64::MAX } else { now.lease_ms };
    let why = if is_dead { "the process that ran it is gone" } else { "its lease lapsed" };
    let lost = port.leased(owner, until_ms, SWEEP_LOST_MAX)?;
    for run_key in &lost {
        if let Some(task) = port.task(*run_key)? {
            lose(port, &task, why, now)?;
        }
    }
    let swept = Swept::of(lost.len(), SWEEP_LOST_MAX);
    if is_dead && !swept.has_more {
        return Ok(swept.and(forget_owner(port, owner)?));
    }
    Ok(swept)
}

/// Gives back the runs of a handle that closes in order: no try is charged (P13). Returns whether
/// more may be left.
pub fn give_back(port: &mut dyn Port, owner: OwnerKey, now: Now) -> Result<bool> {
    let held = port.leased(owner, i64::MAX, SWEEP_LOST_MAX)?;
    for run_key in &held {
        if let Some(task) = port.task(*run_key)? {
            let fence = Fence { run_key: *run_key, number: task.fence };
            super::attempt::finish(port, fence, &super::attempt::End::Release(0), now)?;
        }
    }
    Ok(held.len() == SWEEP_LOST_MAX as usize || forget_owner(port, owner)?.has_more)
}

/// Forgets an owner that holds no run any more, once what waits in lanes of its own, a bounded part
/// at a time, stands in lanes that are open to all. Such a lane is then looked at by no claim.
fn forget_owner(port: &mut dyn Port, owner: OwnerKey) -> Result<Swept> {
    let mut left = SWEEP_DUE_MAX;
    let mut swept = Swept::default();
    for lane_key in port.lanes_of(owner, SWEEP_LOST_MAX)? {
        let open_key = port.lane_open_to_all(lane_key)?;
        let local = port.tasks_local(lane_key, left)?;
        for run_key in &local {
            let place = port.task_move(*run_key, open_key)?;
            port.tell(News::claimable(Queues::ALL));
            queue::enter(port, place.as_ref())?;
        }
        swept.has_moved |= !local.is_empty();
        left = left.saturating_sub(u32::try_from(local.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        port.lane_retire(lane_key)?;
    }
    if port.lanes_of(owner, 1)?.is_empty() {
        port.owner_delete(owner)?;
        return Ok(swept);
    }
    Ok(Swept { has_more: true, ..swept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded_or_forever() {
        assert!(Claim { wait_ms: -1, ..Claim::default() }.check().is_ok());
        assert!(Claim { wait_ms: -2, ..Claim::default() }.check().is_err());
        assert!(Claim { lease_ms: 5, ..Claim::default() }.check().is_err());
    }

    #[test]
    fn a_claim_without_a_queue_looks_into_the_default_one() {
        assert_eq!(Claim::default().filter().queue, "default");
    }
}
