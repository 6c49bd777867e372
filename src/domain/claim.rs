//! Claiming: looking whether it is worth its lock, then picking the next runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::control::{CancelAbove, cancel_above, end_below_cancel};
use super::hold::{lease_end, lease_length};
use super::input::in_range;
use super::port::{
    ClaimedRun, Fence, GatePlace, Head, LaneFilter, NewLease, Owner, OwnerKey, Port, QueueLimits,
    RunKey, Share, Standing,
};
use super::queue;
use super::retention;
use super::submit::QUEUE_DEFAULT;
use super::sweep::{self, sweep_standing};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::{CLAIM_NOTED_MS, DURATION_MS_MAX, SWEEP_DUE_MAX, WRITE_BATCH_BYTES_MAX};
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
    /// What is asked of its attempts.
    pub manner: Manner,
}

/// What a claim asks of its attempts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// One completes only after it has asked for all that is recorded.
    pub is_strict: bool,
    /// None of its steps is run.
    pub is_replay_only: bool,
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
    /// When the next task, schedule or look of retention comes due by itself, Unix milliseconds.
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
    let (is_ready, standing) = port.ready_and_standing(filter)?;
    Ok(outlook_of(is_ready, standing, now))
}

/// Looks what a claim would find, and answers `None` at once when a run is ready that its queue has room
/// for: who claims it sees the rest then.
pub fn glance(port: &mut dyn Port, filter: &LaneFilter, now: Now) -> Result<Option<Outlook>> {
    let (is_ready, limits) = port.ready_and_limits(filter)?;
    if is_ready && room(limits) > 0 {
        return Ok(None);
    }
    let standing = port.standing(&filter.queue)?;
    Ok(Some(outlook_of(is_ready, standing, now)))
}

fn outlook_of(is_ready: bool, standing: Standing, now: Now) -> Outlook {
    let has_room = room(standing.limits) > 0;
    let looks_at_ms = retention::next_look_at_ms(standing.next_retention_at_ms, now);
    let seen = Outlook {
        is_promising: false,
        next_due_at_ms: [next_due_at_ms(&standing), looks_at_ms].into_iter().flatten().min(),
        next_lapse_ms: standing.next_lapse_ms,
        owners: standing.owners,
    };
    let is_promising = seen.is_due(now) || standing.has_cascades || (is_ready && has_room);
    Outlook { is_promising, ..seen }
}

/// Returns in how many milliseconds time moves a run, or a schedule, next; `None` when it never does.
pub fn moves_in_ms(port: &mut dyn Port, now: Now) -> Result<Option<i64>> {
    let standing = port.standing(&LaneFilter::default().queue)?;
    let due = next_due_at_ms(&standing).map(|at| at.saturating_sub(now.wall_ms));
    // The lease of an owner that lives has no end.
    let lapse = standing.next_lapse_ms.filter(|at| *at != i64::MAX);
    let lapse = lapse.map(|at| at.saturating_sub(now.lease_ms));
    Ok([due, lapse].into_iter().flatten().min().map(|ms| ms.max(0)))
}

/// Returns when the next task, schedule or budget comes due by itself.
pub(super) fn next_due_at_ms(standing: &Standing) -> Option<i64> {
    let next = [
        standing.next_wake_at_ms,
        standing.next_deadline_at_ms,
        standing.next_schedule_at_ms,
        standing.next_room_at_ms,
    ];
    next.into_iter().flatten().min()
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
    /// Tokens of claims of this owner whose answer nobody got: what they took is given back first.
    pub unheard: Vec<i64>,
    /// An id that was never used; those of runs that schedules make come from it, and the token of the
    /// fences that are given.
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
    let queue = &claimer.filter.queue;
    give_back_unheard(port, claimer, now)?;
    let mut standing = port.standing(queue)?;
    let swept = sweep_standing(port, &standing, &claimer.dead, claimer.seed, now)?;
    if swept.has_moved {
        standing = port.standing(queue)?;
    }
    let mut picked = Picked { runs: Vec::new(), has_more: swept.has_more };
    if room(standing.limits) == 0 {
        return Ok(picked);
    }
    let Some(owner_key) = owner_key(port, claimer, &standing, now)? else { return Ok(picked) };
    let lease = NewLease {
        owner_key,
        lease_until_ms: lease_end(claimer.lease_ms, now),
        lease_ms: claimer.lease_ms,
        claimed_at_ms: now.wall_ms,
        worker: claimer.worker.clone(),
        token: claimer.seed.token(),
    };
    let mut bytes = 0;
    while picked.runs.len() < max as usize && bytes < WRITE_BATCH_BYTES_MAX {
        let left =
            Share { runs: max as usize - picked.runs.len(), bytes: WRITE_BATCH_BYTES_MAX - bytes };
        let heads = match pick(port, claimer, &standing, &lease, left, now)? {
            Pick::Heads(heads) if heads.is_empty() => break,
            Pick::Heads(heads) => heads,
            Pick::AskAgain => {
                picked.has_more = true;
                break;
            }
        };
        count(port, queue, &mut standing, &heads)?;
        note(port, &heads, now)?;
        bytes += heads.iter().map(|head| head.run.args.len()).sum::<usize>();
        picked.runs.extend(heads.into_iter().map(|head| claimed(head, &lease)));
    }
    Ok(picked)
}

/// Gives back what claims took whose answer was lost on its way: their caller holds none of it, and a lease
/// may last as long as its process.
fn give_back_unheard(port: &mut dyn Port, claimer: &Claimer, now: Now) -> Result<()> {
    if claimer.unheard.is_empty() {
        return Ok(());
    }
    let owner_key = port.owner_make(&claimer.owner, now.wall_ms)?;
    sweep::give_back_of(port, owner_key, &claimer.unheard, now)
}

fn claimed(head: Head, lease: &NewLease) -> Claimed {
    Claimed {
        owner_key: lease.owner_key,
        fence: Fence { run_key: head.run_key, number: head.taken.number, token: lease.token },
        lease_until_ms: lease.lease_until_ms,
        claimed_at_ms: lease.claimed_at_ms,
        due_at_ms: head.taken.due_at_ms,
        run: head.run,
    }
}

/// Counts what was taken in the limits of its queue, and lets in what comes after it at its gate.
fn count(port: &mut dyn Port, queue: &str, standing: &mut Standing, heads: &[Head]) -> Result<()> {
    let Some(last) = heads.last() else { return Ok(()) };
    if let Some((_, running)) = &mut standing.limits {
        let count = u32::try_from(heads.len()).unwrap_or(u32::MAX);
        *running = running.saturating_add(count);
        port.running_add(queue, count, last.taken.gate.as_deref())?;
    }
    match last.taken.gate.clone() {
        Some(gate) => queue::took(port, queue, &GatePlace { lane_key: last.taken.lane_key, gate }),
        None => Ok(()),
    }
}

/// Notes when something was last claimed from the lanes of what was taken, of each once, where the note
/// is too far behind: a busy lane is seldom written to.
fn note(port: &mut dyn Port, heads: &[Head], now: Now) -> Result<()> {
    let is_fresh = |at: i64| (0..CLAIM_NOTED_MS).contains(&now.wall_ms.saturating_sub(at));
    let is_behind = |head: &&Head| !head.run.lane_claimed_at_ms.is_some_and(is_fresh);
    let lanes: BTreeSet<_> =
        heads.iter().filter(is_behind).map(|head| head.taken.lane_key).collect();
    if lanes.is_empty() {
        return Ok(());
    }
    port.lanes_claimed(&lanes.into_iter().collect::<Vec<_>>(), now.wall_ms)
}

/// Returns how many more runs of the queue may hold the fence.
fn room(limits: Option<(QueueLimits, u32)>) -> u32 {
    limits.map_or(u32::MAX, |(limits, running)| limits.room(running))
}

/// What a look for the next runs came to.
enum Pick {
    /// These were taken; none are left if there is none.
    Heads(Vec<Head>),
    /// The bound on setting runs aside was reached, or a cancel must come down first.
    AskAgain,
}

/// Takes the next runs that may be claimed: in one question where nothing can hold one of them back,
/// else one after a look at it.
fn pick(
    port: &mut dyn Port,
    claimer: &Claimer,
    standing: &Standing,
    lease: &NewLease,
    share: Share,
    now: Now,
) -> Result<Pick> {
    let share = Share { runs: share.runs.min(room(standing.limits) as usize), ..share };
    let limits = standing.limits.as_ref();
    let has_gates = limits.is_some_and(|(limits, _)| limits.concurrency_per_key.is_some());
    if share.runs == 0 {
        return Ok(Pick::Heads(Vec::new()));
    }
    if !has_gates && !standing.has_cascades {
        return port.claim_heads(&claimer.filter, lease, share).map(Pick::Heads);
    }
    for _ in 0..SWEEP_DUE_MAX {
        let Some(run_key) = port.ready_head(&claimer.filter)? else {
            return Ok(Pick::Heads(Vec::new()));
        };
        let above =
            if standing.has_cascades { cancel_above(port, run_key)? } else { CancelAbove::None };
        match above {
            CancelAbove::Comes => end_below_cancel(port, run_key, now)?,
            CancelAbove::Unknown => return Ok(Pick::AskAgain),
            CancelAbove::None if has_gates && is_held_back(port, run_key)? => {}
            CancelAbove::None => return Ok(Pick::Heads(vec![port.claim_one(run_key, lease)?])),
        }
    }
    Ok(Pick::AskAgain)
}

/// Returns whether the gate of a ready run is closed after all, and closes it: its queue was given a
/// lower limit, which has not come to this gate yet.
fn is_held_back(port: &mut dyn Port, run_key: RunKey) -> Result<bool> {
    let Some(place) = port.task(run_key)?.as_ref().and_then(queue::place_of) else {
        return Ok(false);
    };
    if port.gate_room(&place)? > 0 {
        return Ok(false);
    }
    port.gates_keep(&[place]).map(|()| true)
}

/// Returns the key of the claimer's row, written now if it has none: a run must never be held by an
/// owner whom nobody can look up, or nobody could take it back. `None` when it has none and there is
/// nothing to claim.
fn owner_key(
    port: &mut dyn Port,
    claimer: &Claimer,
    standing: &Standing,
    now: Now,
) -> Result<Option<OwnerKey>> {
    // By its id, not its key: the first claims of two threads are both without a key.
    let owner = &claimer.owner;
    let is_it = |row: &&Owner| row.id == owner.id;
    if let Some(row) = standing.owners.iter().find(is_it) {
        return Ok(Some(row.owner_key));
    }
    match port.ready_head(&claimer.filter)? {
        Some(_) => port.owner_make(owner, now.wall_ms).map(Some),
        None => Ok(None),
    }
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
