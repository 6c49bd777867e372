//! A store as a whole: what stands in its queues, who works, how large it is.
//!
//! Nothing is counted as it happens: who looks counts, and no further than a bound, so that a look costs
//! the same in a store of a million runs. What a bound has cut is named beside the counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::output::{Document, document};
use super::port::{
    CallFacts, FileFacts, FullGate, HeldRow, LaneKey, LaneRow, Outcome, Owner, OwnerKey, OwnerRow,
    Port, QueueLimits, TaskState, WriterFacts,
};
use super::submit::QUEUE_DEFAULT;
use crate::clock::Now;
use crate::error::Result;
use crate::id;
use crate::limits::{
    FULL_SHOWN_MAX, HOLDERS_SHOWN_MAX, LANES_SHOWN_MAX, OUTCOMES_COUNTED_MAX,
    PRIORITIES_LOOKED_MAX, TASKS_COUNTED_MAX,
};

/// Tells whether an owner lives; `None` where that cannot be told.
pub type Life<'a> = &'a dyn Fn(&Owner) -> Result<Option<bool>>;

/// Returns how an owner is named.
pub(super) fn owner_id(owner_key: OwnerKey) -> String {
    format!("owner_{owner_key}")
}

#[derive(Debug, Default, Serialize)]
struct QueueDocument {
    queue: String,
    concurrency: Option<u32>,
    concurrency_per_key: Option<u32>,
    paused: bool,
    running: u32,
    ready: u32,
    delayed: u32,
    waiting: u32,
    blocked: u32,
    oldest_ready_at_ms: Option<i64>,
    last_claimed_at_ms: Option<i64>,
    at_least: Vec<&'static str>,
    #[serde(skip)]
    paused_runs: u32,
}

#[derive(Serialize)]
struct OwnerDocument {
    owner_id: String,
    pid: u32,
    alive: Option<bool>,
    opened_at_ms: i64,
    running: u32,
    oldest_lease_at_ms: Option<i64>,
}

#[derive(Serialize)]
struct RunsDocument {
    total: u64,
    pending: u64,
    running: u64,
    waiting: u64,
    paused: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    at_least: Vec<&'static str>,
    at_most: Vec<&'static str>,
}

#[derive(Serialize)]
struct FullDocument {
    queue: String,
    concurrency_key: Option<String>,
    limit: u32,
    running: u32,
    run_ids: Vec<String>,
}

#[derive(Serialize)]
struct FileDocument {
    page_bytes: u64,
    pages: u64,
    bytes: u64,
    free_bytes: u64,
    log_bytes: u64,
}

#[derive(Serialize)]
struct BatchesDocument {
    #[serde(rename = "1")]
    one: u64,
    #[serde(rename = "2_7")]
    few: u64,
    #[serde(rename = "8_63")]
    some: u64,
    #[serde(rename = "64_up")]
    many: u64,
}

#[derive(Serialize)]
struct WriterDocument {
    commits: u64,
    writes: u64,
    largest_batch: u64,
    batches: BatchesDocument,
    syncs: u64,
    syncs_shared: u64,
    turn_waits: u64,
    turn_wait_ms: u64,
    calls: Vec<CallDocument>,
}

#[derive(Serialize)]
struct CallDocument {
    call: &'static str,
    writes: u64,
    took_ms: u64,
    longest_ms: u64,
}

#[derive(Serialize)]
struct StatsDocument {
    at_ms: i64,
    runs: RunsDocument,
    oldest_ready_at_ms: Option<i64>,
    oldest_ready_for_ms: Option<i64>,
    next_due_at_ms: Option<i64>,
    queues: Vec<QueueDocument>,
    full: Vec<FullDocument>,
    owners: Vec<OwnerDocument>,
    file: FileDocument,
    writer: Option<WriterDocument>,
}

impl Document for Vec<QueueDocument> {
    const SHAPE: &'static str = "queues";
}

impl Document for Vec<OwnerDocument> {
    const SHAPE: &'static str = "owners";
}

impl Document for StatsDocument {
    const SHAPE: &'static str = "stats";
}

/// Returns the queues that have runs or were set, by name.
pub fn queue_list(port: &mut dyn Port) -> Result<String> {
    let held = port.held_rows(TASKS_COUNTED_MAX)?;
    let lanes = port.lane_rows(LANES_SHOWN_MAX)?;
    document(&queues(port, &lanes, &held)?)
}

/// Returns the owners, those that have been there for longest first.
pub fn owner_list(port: &mut dyn Port, life: Life<'_>) -> Result<String> {
    let held = port.held_rows(TASKS_COUNTED_MAX)?;
    document(&owners(port, life, &held)?)
}

/// Returns what there is to be told of the store as a whole.
pub fn stats(
    port: &mut dyn Port,
    life: Life<'_>,
    writer: Option<&WriterFacts>,
    now: Now,
) -> Result<String> {
    let held = port.held_rows(TASKS_COUNTED_MAX)?;
    let lanes = port.lane_rows(LANES_SHOWN_MAX)?;
    let queues = queues(port, &lanes, &held)?;
    let oldest = queues.iter().filter_map(|queue| queue.oldest_ready_at_ms).min();
    document(&StatsDocument {
        at_ms: now.wall_ms,
        runs: runs(port, &queues)?,
        oldest_ready_at_ms: oldest,
        oldest_ready_for_ms: oldest.map(|at| now.wall_ms.saturating_sub(at).max(0)),
        next_due_at_ms: super::claim::next_due_at_ms(&port.standing(QUEUE_DEFAULT)?),
        full: full(port, &queues, &lanes, &held)?,
        queues,
        owners: owners(port, life, &held)?,
        file: file_document(port.file_facts()?),
        writer: writer.map(writer_document),
    })
}

/// What is counted of the lanes of all queues at once.
struct Tally {
    by_lane: BTreeMap<LaneKey, u32>,
    /// The bound was reached: there may be more in any lane.
    is_cut: bool,
}

impl Tally {
    fn of(port: &mut dyn Port, state: TaskState) -> Result<Tally> {
        let counts = port.still_counts(state, TASKS_COUNTED_MAX)?;
        let sum: u32 = counts.iter().map(|(_, count)| count).sum();
        Ok(Tally { by_lane: counts.into_iter().collect(), is_cut: sum >= TASKS_COUNTED_MAX })
    }

    fn take(&self, lane_key: LaneKey) -> u32 {
        self.by_lane.get(&lane_key).copied().unwrap_or(0)
    }
}

fn queues(port: &mut dyn Port, lanes: &[LaneRow], held: &[HeldRow]) -> Result<Vec<QueueDocument>> {
    let mut all: BTreeMap<String, QueueDocument> = BTreeMap::new();
    for (queue, limits, _) in port.queue_rows(LANES_SHOWN_MAX)? {
        all.insert(queue.clone(), set_queue(queue, limits));
    }
    let delayed = Tally::of(port, TaskState::Delayed)?;
    let waiting = Tally::of(port, TaskState::Waiting)?;
    let paused = Tally::of(port, TaskState::Paused)?;
    let blocked = Tally::of(port, TaskState::Blocked)?;
    let mut running: BTreeMap<LaneKey, (u32, Option<i64>)> = BTreeMap::new();
    for row in held {
        let (count, last) = running.entry(row.lane_key).or_default();
        *count += 1;
        *last = (*last).max(Some(row.claimed_at_ms));
    }
    // As far as lanes may share it, and never so little that nothing is told.
    let busy = lanes.iter().filter(|lane| lane.may_be_ready).count();
    let share = TASKS_COUNTED_MAX / u32::try_from(busy.max(1)).unwrap_or(u32::MAX);
    let share = share.max(HOLDERS_SHOWN_MAX);
    for lane in lanes {
        let queue = all
            .entry(lane.queue.clone())
            .or_insert_with_key(|queue| set_queue(queue.clone(), QueueLimits::default()));
        let (count, last) = running.get(&lane.lane_key).copied().unwrap_or_default();
        queue.running += count;
        queue.delayed += delayed.take(lane.lane_key);
        queue.waiting += waiting.take(lane.lane_key);
        queue.paused_runs += paused.take(lane.lane_key);
        queue.blocked += blocked.take(lane.lane_key);
        queue.last_claimed_at_ms = queue.last_claimed_at_ms.max(lane.claimed_at_ms).max(last);
        if lane.may_be_ready {
            ready(port, lane.lane_key, share, queue)?;
        }
    }
    let cut = [
        ("running", held.len() >= TASKS_COUNTED_MAX as usize),
        ("delayed", delayed.is_cut),
        ("waiting", waiting.is_cut),
        ("blocked", blocked.is_cut),
    ];
    let names = cut.into_iter().filter(|(_, is_cut)| *is_cut).map(|(name, _)| name);
    let names: Vec<_> = names.chain(paused.is_cut.then_some("paused")).collect();
    let mut list: Vec<QueueDocument> = all.into_values().collect();
    list.iter_mut().for_each(|queue| queue.at_least.extend(&names));
    Ok(list)
}

fn set_queue(queue: String, limits: QueueLimits) -> QueueDocument {
    QueueDocument {
        queue,
        concurrency: limits.concurrency,
        concurrency_per_key: limits.concurrency_per_key,
        paused: limits.is_paused,
        ..QueueDocument::default()
    }
}

/// Adds what is ready in a lane.
fn ready(
    port: &mut dyn Port,
    lane_key: LaneKey,
    share: u32,
    queue: &mut QueueDocument,
) -> Result<()> {
    let count = port.ready_count(lane_key, share)?;
    queue.ready += count;
    if count >= share && !queue.at_least.contains(&"ready") {
        queue.at_least.push("ready");
    }
    let since = port.ready_since(lane_key, PRIORITIES_LOOKED_MAX)?;
    queue.oldest_ready_at_ms = [queue.oldest_ready_at_ms, since].into_iter().flatten().min();
    Ok(())
}

fn runs(port: &mut dyn Port, queues: &[QueueDocument]) -> Result<RunsDocument> {
    let sum = |part: fn(&QueueDocument) -> u32| -> u64 {
        queues.iter().map(|queue| u64::from(part(queue))).sum()
    };
    let is_cut = |names: &[&str]| {
        queues.iter().any(|queue| queue.at_least.iter().any(|name| names.contains(name)))
    };
    let failed = port.outcome_count(Outcome::Failed, OUTCOMES_COUNTED_MAX)?;
    let cancelled = port.outcome_count(Outcome::Cancelled, OUTCOMES_COUNTED_MAX)?;
    let cut = [
        ("pending", is_cut(&["ready", "delayed", "blocked"])),
        ("running", is_cut(&["running"])),
        ("waiting", is_cut(&["waiting"])),
        ("paused", is_cut(&["paused"])),
        ("failed", failed >= OUTCOMES_COUNTED_MAX),
        ("cancelled", cancelled >= OUTCOMES_COUNTED_MAX),
    ];
    let at_least: Vec<_> =
        cut.into_iter().filter(|(_, is_cut)| *is_cut).map(|(name, _)| name).collect();
    let mut counts = RunsDocument {
        total: port.run_span()?,
        pending: sum(|queue| queue.ready + queue.delayed + queue.blocked),
        running: sum(|queue| queue.running),
        waiting: sum(|queue| queue.waiting),
        paused: sum(|queue| queue.paused_runs),
        completed: 0,
        failed: failed.into(),
        cancelled: cancelled.into(),
        at_most: if at_least.is_empty() { Vec::new() } else { vec!["completed"] },
        at_least,
    };
    // Not counted: what is neither open nor ended badly.
    let RunsDocument { pending, running, waiting, paused, failed, cancelled, .. } = counts;
    let others = pending + running + waiting + paused + failed + cancelled;
    counts.completed = counts.total.saturating_sub(others);
    Ok(counts)
}

/// Returns the limits that are reached, and who fills them.
fn full(
    port: &mut dyn Port,
    queues: &[QueueDocument],
    lanes: &[LaneRow],
    held: &[HeldRow],
) -> Result<Vec<FullDocument>> {
    let queue_of: BTreeMap<LaneKey, &str> =
        lanes.iter().map(|lane| (lane.lane_key, lane.queue.as_str())).collect();
    let mut list = Vec::new();
    let reached = queues.iter().filter_map(|queue| {
        let limit = queue.concurrency.filter(|limit| queue.running >= *limit)?;
        Some((&queue.queue, limit, queue.running))
    });
    for (queue, limit, running) in reached.take(FULL_SHOWN_MAX as usize) {
        let of_queue = |row: &&HeldRow| queue_of.get(&row.lane_key) == Some(&queue.as_str());
        let run_ids = holders(port, held.iter().filter(of_queue))?;
        let queue = queue.clone();
        list.push(FullDocument { queue, concurrency_key: None, limit, running, run_ids });
    }
    let left = FULL_SHOWN_MAX.saturating_sub(u32::try_from(list.len()).unwrap_or(u32::MAX));
    for FullGate { queue, gate, limit, running } in port.full_gates(left)? {
        let of_gate = |row: &&HeldRow| {
            row.gate.as_ref() == Some(&gate) && queue_of.get(&row.lane_key) == Some(&queue.as_str())
        };
        let run_ids = holders(port, held.iter().filter(of_gate))?;
        list.push(FullDocument { queue, concurrency_key: Some(gate), limit, running, run_ids });
    }
    Ok(list)
}

/// Returns the ids of the first few runs of those that are held.
pub(super) fn holders<'row>(
    port: &mut dyn Port,
    held: impl Iterator<Item = &'row HeldRow>,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for row in held.take(HOLDERS_SHOWN_MAX as usize) {
        ids.extend(port.run_id(row.run_key)?.map(|run_id| id::write("run", run_id)));
    }
    Ok(ids)
}

fn owners(port: &mut dyn Port, life: Life<'_>, held: &[HeldRow]) -> Result<Vec<OwnerDocument>> {
    let mut list = Vec::new();
    for OwnerRow { owner, pid, opened_at_ms } in port.owner_rows()? {
        let of_owner = held.iter().filter(|row| row.owner_key == owner.owner_key);
        list.push(OwnerDocument {
            owner_id: owner_id(owner.owner_key),
            pid,
            alive: life(&owner)?,
            opened_at_ms,
            running: u32::try_from(of_owner.clone().count()).unwrap_or(u32::MAX),
            oldest_lease_at_ms: of_owner.map(|row| row.claimed_at_ms).min(),
        });
    }
    Ok(list)
}

fn file_document(facts: FileFacts) -> FileDocument {
    let FileFacts { page_bytes, pages, free_pages, log_bytes } = facts;
    FileDocument {
        page_bytes,
        pages,
        bytes: pages * page_bytes,
        free_bytes: free_pages * page_bytes,
        log_bytes,
    }
}

fn writer_document(facts: &WriterFacts) -> WriterDocument {
    let [one, few, some, many] = facts.batches;
    WriterDocument {
        commits: facts.commits,
        writes: facts.writes,
        largest_batch: facts.largest_batch,
        batches: BatchesDocument { one, few, some, many },
        syncs: facts.syncs,
        syncs_shared: facts.syncs_shared,
        turn_waits: facts.turn_waits,
        turn_wait_ms: facts.turn_wait_ms,
        calls: call_documents(&facts.calls),
    }
}

/// Those that took longest come first.
fn call_documents(calls: &[CallFacts]) -> Vec<CallDocument> {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| Reverse(call.took_us));
    let document = |call: &CallFacts| CallDocument {
        call: call.name,
        writes: call.writes,
        took_ms: call.took_us / 1_000,
        longest_ms: call.longest_us / 1_000,
    };
    calls.into_iter().map(document).collect()
}
