//! What is counted and listed of a store as a whole.

use rusqlite::Row;

use super::owner::Mark;
use super::tx::{Tx, list};
use crate::domain::port::{
    FileFacts, FullGate, HeldRow, LaneKey, LaneRow, Outcome, Owner, OwnerRow, QueueLimits, RunKey,
    StatsPort, TaskState,
};
use crate::error::Result;
use crate::id::Id;
use crate::os;
use crate::storage::system::map_system;

const LANE_ROWS: &str = "
SELECT lane_key, queue, workflow, code_version, owner_key, claimed_at_ms, first_task_key IS NOT NULL
FROM sw_workflow_lanes
ORDER BY queue, workflow, code_version, owner_key
LIMIT ?1";

const QUEUE_ROWS: &str = "
SELECT queue, concurrency, concurrency_per_key, paused, running
FROM sw_workflow_queues
WHERE queue >= ''
ORDER BY queue
LIMIT ?1";

// A gate without runs has no row.
const FULL_GATES: &str = "
SELECT g.queue, g.gate, q.concurrency_per_key, g.running
FROM sw_workflow_gates AS g
JOIN sw_workflow_queues AS q ON q.queue = g.queue
WHERE g.queue >= '' AND g.running >= q.concurrency_per_key
ORDER BY g.queue, g.gate
LIMIT ?1";

const HELD_ROWS: &str = "
SELECT task_key, lane_key, owner_key, gate, claimed_at_ms, worker
FROM sw_workflow_tasks
WHERE owner_key IS NOT NULL
ORDER BY owner_key, lease_until_up_ms, task_key
LIMIT ?1";

const STILL_COUNTS: &str = "
SELECT lane_key, count(*)
FROM (
    SELECT lane_key
    FROM sw_workflow_tasks
    WHERE state <> 1 AND state <> 2 AND state = ?1
    ORDER BY task_key DESC
    LIMIT ?2
) AS page
GROUP BY lane_key
ORDER BY lane_key";

const READY_COUNT: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM sw_workflow_tasks
    WHERE lane_key = ?1 AND state = 1
    LIMIT ?2
) AS page";

// The index has priorities first: the first of each has been due for longest of its own.
const READY_OF_NEXT_PRIORITY: &str = "
SELECT priority, due_at_ms
FROM sw_workflow_tasks
WHERE lane_key = ?1 AND state = 1 AND priority > ?2
ORDER BY priority, due_at_ms, task_key
LIMIT 1";

const OUTCOME_COUNT: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM sw_workflow_runs
    WHERE outcome = ?1 AND outcome > 1
    LIMIT ?2
) AS page";

// Below a root that is being pruned.
const OUTCOME_GONE_COUNT: &str = "
SELECT count(*)
FROM sw_workflow_runs AS t
JOIN sw_workflow_runs AS r ON r.root_key = t.run_key AND r.outcome = ?1
WHERE t.outcome = 4 AND t.outcome > 1";

const RUN_FIRST: &str = "
SELECT run_key
FROM sw_workflow_runs
ORDER BY run_key
LIMIT 1";

const RUN_LAST: &str = "
SELECT run_key
FROM sw_workflow_runs
ORDER BY run_key DESC
LIMIT 1";

const OWNER_ROWS: &str = "
SELECT owner_key, mark, boot, pid, opened_at_ms
FROM sw_workflow_owners
ORDER BY owner_key
LIMIT 10000";

const RUN_ID: &str = "
SELECT run_id
FROM sw_workflow_runs
WHERE run_key = ?1";

const LANES_CLAIMED: &str = "
UPDATE sw_workflow_lanes
SET claimed_at_ms = ?2
WHERE lane_key IN (SELECT value FROM json_each(?1))";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANE_ROWS,
    QUEUE_ROWS,
    FULL_GATES,
    HELD_ROWS,
    STILL_COUNTS,
    READY_COUNT,
    READY_OF_NEXT_PRIORITY,
    OUTCOME_COUNT,
    OUTCOME_GONE_COUNT,
    RUN_FIRST,
    RUN_LAST,
    OWNER_ROWS,
    RUN_ID,
    LANES_CLAIMED,
];

impl StatsPort for Tx<'_> {
    fn lane_rows(&mut self, limit: u32) -> Result<Vec<LaneRow>> {
        self.all(LANE_ROWS, [limit], |row| {
            Ok(LaneRow {
                lane_key: row.get(0)?,
                queue: row.get(1)?,
                workflow: row.get(2)?,
                code_version: row.get(3)?,
                owner_key: row.get(4)?,
                claimed_at_ms: row.get(5)?,
                may_be_ready: row.get(6)?,
            })
        })
    }

    fn queue_rows(&mut self, limit: u32) -> Result<Vec<(String, QueueLimits, u32)>> {
        self.all(QUEUE_ROWS, [limit], |row| {
            let limits = QueueLimits {
                concurrency: row.get(1)?,
                concurrency_per_key: row.get(2)?,
                is_paused: row.get(3)?,
            };
            Ok((row.get(0)?, limits, row.get(4)?))
        })
    }

    fn full_gates(&mut self, limit: u32) -> Result<Vec<FullGate>> {
        self.all(FULL_GATES, [limit], |row| {
            Ok(FullGate {
                queue: row.get(0)?,
                gate: row.get(1)?,
                limit: row.get(2)?,
                running: row.get(3)?,
            })
        })
    }

    fn held_rows(&mut self, limit: u32) -> Result<Vec<HeldRow>> {
        self.all(HELD_ROWS, [limit], read_held)
    }

    fn still_counts(&mut self, state: TaskState, limit: u32) -> Result<Vec<(LaneKey, u32)>> {
        self.all(STILL_COUNTS, (state as i64, limit), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn ready_count(&mut self, lane_key: LaneKey, limit: u32) -> Result<u32> {
        Ok(self.one(READY_COUNT, (lane_key, limit), |row| row.get(0))?.unwrap_or(0))
    }

    fn ready_since(&mut self, lane_key: LaneKey, limit: u32) -> Result<Option<i64>> {
        let (mut since, mut after) = (None, i64::MIN);
        for _ in 0..limit {
            let next: Option<(i64, i64)> =
                self.one(READY_OF_NEXT_PRIORITY, (lane_key, after), |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let Some((priority, due_at_ms)) = next else { break };
            since = [since, Some(due_at_ms)].into_iter().flatten().min();
            after = priority;
        }
        Ok(since)
    }

    fn outcome_count(&mut self, outcome: Outcome, limit: u32) -> Result<u32> {
        let gone: u32 = self.one(OUTCOME_GONE_COUNT, [outcome], |row| row.get(0))?.unwrap_or(0);
        let limit = limit.saturating_add(gone);
        let count: Option<u32> = self.one(OUTCOME_COUNT, (outcome, limit), |row| row.get(0))?;
        Ok(count.unwrap_or(0).saturating_sub(gone))
    }

    fn run_span(&mut self) -> Result<u64> {
        let first: Option<i64> = self.one(RUN_FIRST, [], |row| row.get(0))?;
        let last: Option<i64> = self.one(RUN_LAST, [], |row| row.get(0))?;
        Ok(first.zip(last).map_or(0, |(first, last)| last.abs_diff(first).saturating_add(1)))
    }

    fn owner_rows(&mut self) -> Result<Vec<OwnerRow>> {
        self.all(OWNER_ROWS, [], read_owner)
    }

    fn run_id(&mut self, run_key: RunKey) -> Result<Option<Id>> {
        self.one(RUN_ID, [run_key], |row| row.get(0))
    }

    fn lanes_claimed(&mut self, lane_keys: &[LaneKey], at_ms: i64) -> Result<()> {
        self.execute(LANES_CLAIMED, (list(lane_keys), at_ms)).map(|_| ())
    }

    fn file_facts(&mut self) -> Result<FileFacts> {
        let number = |sql: &'static str| -> Result<u64> {
            let number: Option<i64> = self.one(sql, [], |row| row.get(0))?;
            Ok(number.unwrap_or(0).unsigned_abs())
        };
        Ok(FileFacts {
            page_bytes: number("PRAGMA page_size")?,
            pages: number("PRAGMA page_count")?,
            free_pages: number("PRAGMA freelist_count")?,
            log_bytes: self.log_bytes()?,
        })
    }
}

pub(super) fn read_owner(row: &Row<'_>) -> rusqlite::Result<OwnerRow> {
    let mark = row.get::<_, i64>(1)?.cast_unsigned();
    let (boot, pid) = (row.get(2)?, row.get(3)?);
    let owner = Owner { owner_key: row.get(0)?, id: Mark { mark, boot, pid }.id() };
    Ok(OwnerRow { owner, pid, opened_at_ms: row.get(4)? })
}

pub(super) fn read_held(row: &Row<'_>) -> rusqlite::Result<HeldRow> {
    Ok(HeldRow {
        run_key: row.get(0)?,
        lane_key: row.get(1)?,
        owner_key: row.get(2)?,
        gate: row.get(3)?,
        claimed_at_ms: row.get(4)?,
        worker: row.get(5)?,
    })
}

impl Tx<'_> {
    /// Returns how long the log is; 0 for a store in memory.
    fn log_bytes(&self) -> Result<u64> {
        let Some(path) = self.conn.path().filter(|path| !path.is_empty()) else { return Ok(0) };
        let log = os::with_suffix(path.as_ref(), "-wal");
        os::file_bytes(&log).map_err(|error| map_system(&log.display().to_string(), &error))
    }
}
